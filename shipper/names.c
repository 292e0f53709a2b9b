/*
 * names.c
 *		SQL names as people write them.
 */
#include "names.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

#define BLANKS	" \t\r\n\f\v"

/*
 * Reads one name into "to", which has room for all of the text.  Returns
 * what follows it, or NULL if it is malformed.
 */
static const char *
parse_quoted(char *to, const char *text)
{
	size_t		len = 0;

	for (text++;; text++)
	{
		if (*text == '\0')
			return NULL;
		if (*text == '"' && *++text != '"')
			break;
		to[len++] = *text;
	}
	to[len] = '\0';
	return text;
}

static const char *
parse_plain(char *to, const char *text, char separator)
{
	size_t		len = 0;

	for (; *text != '\0' && *text != separator; text++)
	{
		if (strchr(BLANKS "\",.;=", *text) != NULL)
			break;
		/* not tolower(): a Turkish locale has its own idea of I */
		to[len++] = (char) (*text >= 'A' && *text <= 'Z' ?
							*text + ('a' - 'A') : *text);
	}
	to[len] = '\0';
	return text;
}

static const char *
parse_one(char *to, const char *text, char separator)
{
	text += strspn(text, BLANKS);
	if (*text == '"')
		text = parse_quoted(to, text);
	else
		text = parse_plain(to, text, separator);
	if (text == NULL || *to == '\0' || strlen(to) > NAMES_MAX_LENGTH)
		return NULL;
	return text + strspn(text, BLANKS);
}

bool
names_parse(struct names *names, const char *text, char separator)
{
	char	   *buffer = mem_alloc(strlen(text) + 1);

	names->name = NULL;
	names->count = 0;
	for (;;)
	{
		text = parse_one(buffer, text, separator);
		if (text == NULL || (*text != '\0' && *text != separator))
			break;
		names->name = mem_realloc(names->name,
								  (names->count + 1) * sizeof(char *));
		names->name[names->count++] = mem_strdup(buffer);
		if (*text++ == '\0')
		{
			free(buffer);
			return true;
		}
	}
	free(buffer);
	names_free(names);
	return false;
}

void
names_free(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->name[i]);
	free(names->name);
	names->name = NULL;
	names->count = 0;
}

char *
names_quote(const char *name)
{
	char	   *quoted = mem_alloc(2 * strlen(name) + 3);
	size_t		len = 0;

	quoted[len++] = '"';
	for (; *name != '\0'; name++)
	{
		if (*name == '"')
			quoted[len++] = '"';
		quoted[len++] = *name;
	}
	quoted[len++] = '"';
	quoted[len] = '\0';
	return quoted;
}

char *
names_join(const struct names *names, const char *separator)
{
	char	   *joined = mem_strdup("");

	for (size_t i = 0; i < names->count; i++)
	{
		char	   *quoted = names_quote(names->name[i]);
		char	   *longer = mem_format("%s%s%s", joined,
										i > 0 ? separator : "", quoted);

		free(quoted);
		free(joined);
		joined = longer;
	}
	return joined;
}

int
names_index(const struct names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->name[i], name) == 0)
			return (int) i;
	return -1;
}
