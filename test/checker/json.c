/*
 * json.c
 *		Reads JSON from front to back, see json.h.
 */
#include "json.h"

#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH	64

static bool fail(struct json *json);
static void skip_space(struct json *json);
static bool take(struct json *json, const char *word);
static bool take_escape(struct json *json, struct json_text *text);
static bool take_unicode(struct json *json, struct json_text *text);
static bool take_hex(struct json *json, uint32_t *unit);
static bool take_utf8(struct json *json, struct json_text *text);
static bool take_digits(struct json *json);
static bool take_number(struct json *json);
static void skip_value(struct json *json, int depth);
static void add(struct json_text *text, const char *data, size_t len);

void
json_begin(struct json *json, const char *data, size_t len)
{
	*json = (struct json) {.at = data, .end = data + len};
}

bool
json_is_done(struct json *json)
{
	skip_space(json);
	return !json->bad && json->at == json->end;
}

char
json_peek(struct json *json)
{
	skip_space(json);
	return json->bad || json->at == json->end ? '\0' : *json->at;
}

bool
json_enter(struct json *json, char open)
{
	if (json_peek(json) != open)
		return fail(json);
	json->at++;
	return true;
}

bool
json_next(struct json *json, char close, bool *first)
{
	if (json_peek(json) == close)
	{
		json->at++;
		return false;
	}
	if (!*first)
	{
		if (json_peek(json) != ',')
			return fail(json);
		json->at++;
	}
	*first = false;
	return !json->bad;
}

bool
json_name(struct json *json, struct json_text *name)
{
	if (!json_string(json, name) || json_peek(json) != ':')
		return fail(json);
	json->at++;
	return true;
}

bool
json_string(struct json *json, struct json_text *text)
{
	text->len = 0;
	if (json_peek(json) != '"')
		return fail(json);
	json->at++;
	while (!json->bad && json->at < json->end && *json->at != '"')
	{
		unsigned char c = (unsigned char) *json->at;

		if (c == '\\')
			take_escape(json, text);
		else if (c < 0x20)
			fail(json);
		else
			take_utf8(json, text);
	}
	if (json->bad || json->at == json->end)
		return fail(json);
	json->at++;
	add(text, "", 1);
	text->len--;
	return true;
}

/* A whole number without sign, point or exponent. */
bool
json_unsigned(struct json *json, uint64_t *number)
{
	const char *start;

	json_peek(json);
	start = json->at;
	if (!take_digits(json) || (*start == '0' && json->at - start > 1) ||
		(json->at < json->end && strchr(".eE", *json->at) != NULL))
		return fail(json);
	*number = 0;
	for (const char *p = start; p < json->at; p++)
	{
		uint64_t	digit = (uint64_t) (*p - '0');

		if (*number > (UINT64_MAX - digit) / 10)
			return fail(json);
		*number = *number * 10 + digit;
	}
	return true;
}

bool
json_null(struct json *json)
{
	return json_peek(json) == 'n' && take(json, "null");
}

void
json_skip(struct json *json)
{
	skip_value(json, 0);
}

void
json_text_free(struct json_text *text)
{
	free(text->data);
	*text = (struct json_text) {0};
}

static bool
fail(struct json *json)
{
	json->bad = true;
	return false;
}

static void
skip_space(struct json *json)
{
	while (json->at < json->end && *json->at != '\0' &&
		   strchr(" \t\n\r", *json->at) != NULL)
		json->at++;
}

static bool
take(struct json *json, const char *word)
{
	size_t		len = strlen(word);

	if ((size_t) (json->end - json->at) < len ||
		memcmp(json->at, word, len) != 0)
		return fail(json);
	json->at += len;
	return true;
}

static bool
take_escape(struct json *json, struct json_text *text)
{
	static const char names[] = "\"\\/bfnrt";
	static const char values[] = "\"\\/\b\f\n\r\t";
	const char *name;

	json->at++;
	if (json->at == json->end)
		return fail(json);
	if (*json->at == 'u')
		return take_unicode(json, text);
	if (*json->at == '\0' || (name = strchr(names, *json->at)) == NULL)
		return fail(json);
	add(text, &values[name - names], 1);
	json->at++;
	return true;
}

/* Half of a surrogate pair is no character. */
static bool
take_unicode(struct json *json, struct json_text *text)
{
	uint32_t	c;
	uint32_t	low;
	char		bytes[4];

	if (!take_hex(json, &c))
		return false;
	if (c >= 0xD800 && c < 0xDC00)
	{
		if (!take(json, "\\") || !take_hex(json, &low) ||
			low < 0xDC00 || low >= 0xE000)
			return fail(json);
		c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
	}
	else if (c >= 0xDC00 && c < 0xE000)
		return fail(json);

	if (c < 0x80)
	{
		bytes[0] = (char) c;
		add(text, bytes, 1);
		return true;
	}
	bytes[3] = (char) (0x80 | (c & 0x3F));
	bytes[2] = (char) ((c < 0x800 ? 0xC0 : 0x80) | ((c >> 6) & 0x3F));
	bytes[1] = (char) ((c < 0x10000 ? 0xE0 : 0x80) | ((c >> 12) & 0x3F));
	bytes[0] = (char) (0xF0 | (c >> 18));
	if (c < 0x800)
		add(text, bytes + 2, 2);
	else if (c < 0x10000)
		add(text, bytes + 1, 3);
	else
		add(text, bytes, 4);
	return true;
}

/* "uXXXX" */
static bool
take_hex(struct json *json, uint32_t *unit)
{
	if (!take(json, "u") || json->end - json->at < 4)
		return fail(json);
	*unit = 0;
	for (int i = 0; i < 4; i++)
	{
		static const char digits[] = "0123456789abcdef";
		char		c = *json->at++;
		const char *digit = strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c);

		if (c == '\0' || digit == NULL)
			return fail(json);
		*unit = *unit * 16 + (uint32_t) (digit - digits);
	}
	return true;
}

/* One character as it stands, if it is one, in its shortest form. */
static bool
take_utf8(struct json *json, struct json_text *text)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *p = (const unsigned char *) json->at;
	size_t		len = p[0] < 0x80 ? 1 : p[0] < 0xC2 ? 0 :
		p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : p[0] < 0xF5 ? 4 : 0;
	uint32_t	c;

	if (len == 0 || (size_t) (json->end - json->at) < len)
		return fail(json);
	c = len == 1 ? p[0] : p[0] & (0x7Fu >> len);
	for (size_t i = 1; i < len; i++)
	{
		if ((p[i] & 0xC0) != 0x80)
			return fail(json);
		c = c << 6 | (p[i] & 0x3F);
	}
	if (c < least[len] || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000))
		return fail(json);
	add(text, json->at, len);
	json->at += len;
	return true;
}

static bool
take_digits(struct json *json)
{
	const char *start = json->at;

	while (json->at < json->end && *json->at >= '0' && *json->at <= '9')
		json->at++;
	return json->at > start || fail(json);
}

static bool
take_number(struct json *json)
{
	const char *start;

	if (*json->at == '-')
		json->at++;
	start = json->at;
	if (!take_digits(json) || (*start == '0' && json->at - start > 1))
		return fail(json);
	if (json->at < json->end && *json->at == '.')
	{
		json->at++;
		if (!take_digits(json))
			return false;
	}
	if (json->at < json->end && (*json->at == 'e' || *json->at == 'E'))
	{
		json->at++;
		if (json->at < json->end && (*json->at == '-' || *json->at == '+'))
			json->at++;
		return take_digits(json);
	}
	return true;
}

static void
skip_value(struct json *json, int depth)
{
	struct json_text text = {0};
	char		c = json_peek(json);
	bool		first = true;

	if (depth > MAX_DEPTH)
		fail(json);
	else if (c == '{' || c == '[')
	{
		json_enter(json, c);
		while (json_next(json, c == '{' ? '}' : ']', &first) &&
			   (c == '[' || json_name(json, &text)))
			skip_value(json, depth + 1);
	}
	else if (c == '"')
		json_string(json, &text);
	else if (c == 't' || c == 'f' || c == 'n')
		take(json, c == 't' ? "true" : c == 'f' ? "false" : "null");
	else if (c == '-' || (c >= '0' && c <= '9'))
		take_number(json);
	else
		fail(json);
	json_text_free(&text);
}

static void
add(struct json_text *text, const char *data, size_t len)
{
	if (text->len + len > text->room)
	{
		text->room = 2 * text->room + len + 64;
		text->data = realloc(text->data, text->room);
		if (text->data == NULL)
			abort();
	}
	memcpy(text->data + text->len, data, len);
	text->len += len;
}
