/*
 * ini.h
 *		A strict reader of INI text: "[section]", "key = value", and comments
 *		that begin a line with # or ;.  Nothing is cut off or guessed at.
 */
#ifndef INI_H
#define INI_H

#include <stddef.h>

#define INI_MAX_LINE	(64 * 1024)
#define INI_MAX_FILE	(1024 * 1024)

/*
 * Called with "key" NULL when a section begins.  Returns NULL, or what is
 * wrong, to be freed by the reader.
 */
typedef char *(*ini_handler) (void *arg, const char *section,
							  const char *key, const char *value,
							  unsigned line);

/*
 * Calls the handler for each section and key.  Returns NULL or an error,
 * "NAME:LINE: what", to be freed.
 */
extern char *ini_parse(const char *name, const char *text, size_t len,
					   ini_handler handler, void *arg);

/*
 * Reads a whole regular file of at most INI_MAX_FILE bytes, terminated.
 * Returns NULL and sets *text, *len and *mode, or an error to be freed;
 * *absent says that there was no such file.
 */
struct ini_file
{
	char	   *text;
	size_t		len;
	unsigned	mode;			/* permission bits */
	unsigned	owner;
	int			absent;
};

extern char *ini_read_file(const char *path, struct ini_file *file);

#endif							/* INI_H */
