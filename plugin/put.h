/*
 * put.h
 *		Bytes stored one after the other, where room was made before.
 *
 * The functions of StringInfo ask for room, and end the string, at each call:
 * a record would spend more on that than on its bytes.
 */
#ifndef PUT_H
#define PUT_H

#include "lib/stringinfo.h"

/*
 * Makes room for that many bytes at "to", which lies behind the end of "out",
 * and returns where that is now.  The caller sets out->len when it is through.
 */
static inline char *
put_room(StringInfo out, char *to, Size needed)
{
	if (likely((Size) (out->maxlen - (to - out->data)) > needed))
		return to;
	out->len = to - out->data;
	enlargeStringInfo(out, needed);
	return out->data + out->len;
}

/* Ends "out" before "to". */
static inline void
put_end(StringInfo out, char *to)
{
	*to = '\0';
	out->len = to - out->data;
}

static inline char *
put_bytes(char *to, const char *from, Size len)
{
	memcpy(to, from, len);
	return to + len;
}

#define put_literal(to, text) put_bytes((to), (text), sizeof(text) - 1)

#endif							/* PUT_H */
