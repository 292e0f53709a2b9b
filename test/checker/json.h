/*
 * json.h
 *		Reads JSON from front to back, as strictly as RFC 8259 and UTF-8 allow.
 *
 * The checker's own, so that it shares no mistake with what it judges.  After
 * the first error "bad" is set and every function returns false or nothing.
 */
#ifndef JSON_H
#define JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json
{
	const char *at;
	const char *end;
	bool		bad;
};

/* A decoded string; its memory is used again, and json_text_free()d once. */
struct json_text
{
	char	   *data;			/* terminated; may hold zeros inside */
	size_t		len;
	size_t		room;
};

extern void json_begin(struct json *json, const char *data, size_t len);

/* Whether all was read and nothing was wrong. */
extern bool json_is_done(struct json *json);

/* The first character of the next value, 0 if there is none. */
extern char json_peek(struct json *json);

/*
 * Into '{' or '['; then once before each member, false behind the last.  A
 * member of an object begins with its name, which json_name() reads.
 */
extern bool json_enter(struct json *json, char open);
extern bool json_next(struct json *json, char close, bool *first);
extern bool json_name(struct json *json, struct json_text *name);

extern bool json_string(struct json *json, struct json_text *text);
extern bool json_unsigned(struct json *json, uint64_t *number);
extern bool json_null(struct json *json);

/* Over one value of any kind. */
extern void json_skip(struct json *json);

extern void json_text_free(struct json_text *text);

#endif							/* JSON_H */
