/*
 * environment.c
 *		Keys from the environment.
 *
 * Only the names of our sections count: orchestrators set variables such as
 * WAL2KAFKA_PORT for a service called wal2kafka.
 */
#include "environment.h"

#include <stdlib.h>
#include <string.h>

#include "ini.h"
#include "mem.h"
#include "option.h"

#define ENV_PREFIX	"WAL2KAFKA_"

extern char **environ;

/* The value, or the contents of the file it names, to be freed. */
static char *
env_value(const char *name, const char *value, bool is_file, char **error)
{
	struct ini_file file;

	if (!is_file)
		return mem_strdup(value);
	*error = ini_read_file(value, &file);
	if (*error == NULL && memchr(file.text, '\0', file.len) != NULL)
		*error = mem_format("%s holds a NUL byte", value);
	if (*error != NULL)
	{
		char	   *full = mem_format("%s: %s", name, *error);

		free(*error);
		*error = full;
		free(file.text);
		return NULL;
	}
	if (file.len > 0 && file.text[file.len - 1] == '\n')
		file.text[--file.len] = '\0';
	if (file.len > 0 && file.text[file.len - 1] == '\r')
		file.text[--file.len] = '\0';
	return file.text;
}

/* Sets [section] key from a variable whose name ended in "key". */
static char *
env_set(struct config *cfg, const char *section, char *key,
		const char *value, const char *from)
{
	for (char *c = key; *c != '\0'; c++)
	{
		if (*c >= 'A' && *c <= 'Z')
			*c = (char) (*c + ('a' - 'A'));
		else if (*c == '_' && strcmp(section, "kafka") == 0)
			*c = '.';
	}
	return option_set(cfg, section, key, value, from);
}

/* "name" is the whole variable's, "key" what follows the section. */
static char *
env_one(struct config *cfg, const char *section, const char *name,
		const char *key, const char *value)
{
	size_t		len = strlen(key);
	bool		is_file = len > 5 && strcmp(key + len - 5, "_FILE") == 0;
	char	   *plain = mem_format("%.*s", (int) (strlen(name) - 5), name);
	char	   *word = mem_strndup(key, is_file ? len - 5 : len);
	char	   *error = NULL;
	char	   *text = NULL;

	if (is_file && getenv(plain) != NULL)
		error = mem_format("both %s and %s are set; choose one", plain, name);
	else
		text = env_value(name, value, is_file, &error);
	if (text != NULL)
	{
		char	   *what = env_set(cfg, section, word, text, name);

		if (what != NULL)
			error = mem_format("environment variable %s: %s", name, what);
		free(what);
	}
	free(plain);
	free(word);
	free(text);
	return error;
}

char *
environment_load(struct config *cfg)
{
	static const char *const sections[] = {"postgres", "kafka", "wal2kafka"};
	static const char *const prefixes[] = {
		ENV_PREFIX "POSTGRES_", ENV_PREFIX "KAFKA_", ENV_PREFIX "WAL2KAFKA_"
	};

	for (char **variable = environ; *variable != NULL; variable++)
		for (size_t i = 0; i < 3; i++)
		{
			size_t		len = strlen(prefixes[i]);
			const char *equals = strchr(*variable, '=');
			char	   *name;
			char	   *error;

			if (strncmp(*variable, prefixes[i], len) != 0 || equals == NULL)
				continue;
			name = mem_format("%.*s", (int) (equals - *variable), *variable);
			error = env_one(cfg, sections[i], name, name + len, equals + 1);
			free(name);
			if (error != NULL)
				return error;
		}
	return NULL;
}
