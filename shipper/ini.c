/*
 * ini.c
 *		A strict reader of INI text.
 *
 * inih as packaged cuts section names at 49 bytes and lines at 199 without a
 * word, which would bend long route sections and connection strings.
 */
#include "ini.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem.h"

struct ini
{
	ini_handler handler;
	void	   *arg;
	char	   *section;		/* owned; NULL before the first */
	unsigned	line;
};

static char *ini_line(struct ini *ini, char *line);
static char *ini_section(struct ini *ini, char *line, size_t len);
static char *ini_pair(struct ini *ini, char *line);
static char *trim(char *text);

char *
ini_parse(const char *name, const char *text, size_t len,
		  ini_handler handler, void *arg)
{
	struct ini	ini = {handler, arg, NULL, 0};
	char	   *error = NULL;
	size_t		at = 0;

	/* a byte order mark is what some editors put first */
	if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
		at = 3;

	while (at < len && error == NULL)
	{
		const char *end = memchr(text + at, '\n', len - at);
		size_t		size = end ? (size_t) (end - text) - at : len - at;

		ini.line++;
		if (size > INI_MAX_LINE)
			error = mem_format("line is longer than %d bytes", INI_MAX_LINE);
		else if (memchr(text + at, '\0', size) != NULL)
			error = mem_strdup("line holds a NUL byte");
		else
		{
			char	   *line = mem_format("%.*s", (int) size, text + at);

			error = ini_line(&ini, trim(line));
			free(line);
		}
		at += size + 1;
	}
	free(ini.section);

	if (error != NULL)
	{
		char	   *full = mem_format("%s:%u: %s", name, ini.line, error);

		free(error);
		return full;
	}
	return NULL;
}

static char *
ini_line(struct ini *ini, char *line)
{
	if (*line == '\0' || *line == '#' || *line == ';')
		return NULL;
	if (*line == '[')
		return ini_section(ini, line, strlen(line));
	return ini_pair(ini, line);
}

static char *
ini_section(struct ini *ini, char *line, size_t len)
{
	if (line[len - 1] != ']')
		return mem_strdup("section does not end with \"]\"");
	line[len - 1] = '\0';
	free(ini->section);
	ini->section = mem_strdup(trim(line + 1));
	return ini->handler(ini->arg, ini->section, NULL, NULL, ini->line);
}

static char *
ini_pair(struct ini *ini, char *line)
{
	char	   *equals = strchr(line, '=');
	char	   *key;

	/* not shown: a stray line may be half a secret */
	if (equals == NULL)
		return mem_strdup("line is neither a section, nor \"key = value\", "
						  "nor a comment");
	*equals = '\0';
	key = trim(line);
	if (*key == '\0')
		return mem_strdup("no key before \"=\"");
	if (ini->section == NULL)
		return mem_format("key \"%s\" comes before any section", key);
	return ini->handler(ini->arg, ini->section, key, trim(equals + 1),
						ini->line);
}

/* Cuts blanks off both ends, a carriage return among them. */
static char *
trim(char *text)
{
	size_t		len;

	text += strspn(text, " \t\r\f\v");
	len = strlen(text);
	while (len > 0 && strchr(" \t\r\f\v", text[len - 1]) != NULL)
		len--;
	text[len] = '\0';
	return text;
}

/* Fills the buffer from the descriptor; returns an error or NULL. */
static char *
read_all(int fd, struct ini_file *file)
{
	file->text = mem_alloc(INI_MAX_FILE + 1);
	file->len = 0;
	for (;;)
	{
		ssize_t		got = read(fd, file->text + file->len,
							   INI_MAX_FILE + 1 - file->len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return mem_format("could not read: %s", strerror(errno));
		if (got == 0)
			break;
		file->len += (size_t) got;
		if (file->len > INI_MAX_FILE)
			return mem_format("file is larger than %d bytes", INI_MAX_FILE);
	}
	file->text[file->len] = '\0';
	return NULL;
}

char *
ini_read_file(const char *path, struct ini_file *file)
{
	struct stat st;
	char	   *error;
	char	   *full;

	/* not to hang on a pipe that nobody writes to */
	int			fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	memset(file, 0, sizeof(*file));
	if (fd < 0)
	{
		file->absent = errno == ENOENT;
		return mem_format("could not open \"%s\": %s", path, strerror(errno));
	}
	if (fstat(fd, &st) != 0)
		error = mem_format("could not stat: %s", strerror(errno));
	else if (!S_ISREG(st.st_mode))
		error = mem_strdup("not a regular file");
	else
		error = read_all(fd, file);
	close(fd);
	if (error == NULL)
	{
		file->mode = st.st_mode & 07777;
		file->owner = st.st_uid;
		return NULL;
	}
	free(file->text);
	file->text = NULL;
	full = mem_format("%s: %s", path, error);
	free(error);
	return full;
}
