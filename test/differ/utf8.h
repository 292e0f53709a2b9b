/*
 * utf8.h
 *		The rule for text that is not valid UTF-8, written a second time.
 */
#ifndef UTF8_H
#define UTF8_H

#include <stddef.h>

/*
 * A byte that is not part of valid UTF-8 becomes the LATIN1 character of that
 * number.  Returns NULL if the text is valid, else a terminated copy, to be
 * freed.
 */
extern char *utf8_mended(const char *text, size_t len);

#endif							/* UTF8_H */
