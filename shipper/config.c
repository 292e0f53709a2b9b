/*
 * config.c
 *		What the operator asked for: INI file, environment, command line.
 *
 * One table describes every key; --help, the defaults, the checks and the
 * names of the environment variables come from it.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../plugin/topicname.h"
#include "ini.h"
#include "mem.h"
#include "names.h"

#define ENV_PREFIX	"WAL2KAFKA_"

enum option_type
{
	OPTION_TEXT,
	OPTION_INT,
	OPTION_SIZE,
	OPTION_BOOL,
	OPTION_WORD,				/* index of one of "words" */
	OPTION_SINK,
	OPTION_PLUGIN,				/* collected for the plugin, which judges it */
};

struct option
{
	const char *section;
	const char *key;
	enum option_type type;
	size_t		offset;
	const char *initial;		/* NULL: not set */
	int64_t		min;
	int64_t		max;
	const char *words;			/* what is allowed, as shown */
	const char *help;
};

#define AT(field) offsetof(struct config, field)
#define KB	INT64_C(1024)

static const struct option options[] = {
	{"postgres", "conninfo", OPTION_TEXT, AT(conninfo), "", 0, 0, NULL,
	"libpq connection string; verify-full unless it says otherwise"},
	{"postgres", "slot", OPTION_TEXT, AT(slot), "", 0, 0, NULL,
	"replication slot"},
	{"postgres", "publication", OPTION_TEXT, AT(publication), "", 0, 0, NULL,
	"publications, by commas; empty: every table"},
	{"postgres", "publication_tables", OPTION_TEXT, AT(publication_tables),
		"", 0, 0, NULL,
	"all, or tables, that init creates the publication for"},
	{"postgres", "topic_prefix", OPTION_TEXT, AT(topic_prefix), "", 0, 0, NULL,
	"first part of every default topic"},

	{"wal2kafka", "sink", OPTION_SINK, AT(sink), "kafka", 0, 0,
	"kafka|stdout|file:DIR", "where records go"},
	{"wal2kafka", "topics", OPTION_WORD, AT(topics), "require", 0, 0,
	"require|create", "what to do about a missing topic"},
	{"wal2kafka", "topic_partitions", OPTION_INT, AT(topic_partitions), "-1",
	-1, 100000, NULL, "of a created topic; -1: the broker's default"},
	{"wal2kafka", "topic_replication_factor", OPTION_INT,
		AT(topic_replication_factor), "-1", -1, 100, NULL,
	"of a created topic; -1: the broker's default"},
	{"wal2kafka", "max_in_flight", OPTION_SIZE, AT(max_in_flight), "32MB",
	1024 * KB, 4 * KB * KB * KB, NULL, "bytes sent and not acknowledged"},
	{"wal2kafka", "shutdown_timeout", OPTION_INT, AT(shutdown_timeout), "30",
	0, 86400, NULL, "seconds to drain when asked to stop"},
	{"wal2kafka", "release_after", OPTION_INT, AT(release_after), "10",
		0, 86400, NULL,
	"seconds without an acknowledgement, then the server is let go"},
	{"wal2kafka", "allow_plaintext", OPTION_BOOL, AT(allow_plaintext), "no",
	0, 0, "yes|no", "Kafka without TLS beyond this machine"},
	{"wal2kafka", "log_format", OPTION_WORD, AT(log_format), "text", 0, 0,
	"text|json", "of the log on standard error"},
	{"wal2kafka", "log_level", OPTION_WORD, AT(log_level), "info", 0, 0,
	"error|warning|info|debug", "the least that is logged"},

	{"wal2kafka", "truncate", OPTION_PLUGIN, 0, NULL, 0, 0,
	"skip|emit|halt", "what a TRUNCATE does"},
	{"wal2kafka", "key_change", OPTION_PLUGIN, 0, NULL, 0, 0,
	"split|update", "how an update of the key is sent"},
	{"wal2kafka", "partitioner", OPTION_PLUGIN, 0, NULL, 0, 0,
	"murmur2|crc32", "hash of the key"},
	{"wal2kafka", "generated", OPTION_PLUGIN, 0, NULL, 0, 0,
	"none|stored", "generated columns, without a publication"},
	{"wal2kafka", "fields", OPTION_PLUGIN, 0, NULL, 0, 0,
	"all|none", "fields beyond the five of the contract"},
	{"wal2kafka", "include_xid", OPTION_PLUGIN, 0, NULL, 0, 0,
	"on|off", "transaction id in each record"},
	{"wal2kafka", "include_origin", OPTION_PLUGIN, 0, NULL, 0, 0,
	"on|off", "replication origin in each record"},
	{"wal2kafka", "flush", OPTION_PLUGIN, 0, NULL, 0, 0,
	"batch|commit", "when the plugin sends what it holds"},
	{"wal2kafka", "max_record", OPTION_PLUGIN, 0, NULL, 0, 0,
	"BYTES", "largest record the plugin may make"},
};

#define OPTION_COUNT	(sizeof(options) / sizeof(options[0]))

/* keys whose values are never shown and never taken from the command line */
static const char *const secrets[] = {
	"sasl.password",
	"ssl.key.password",
	"ssl.key.pem",
	"ssl.keystore.password",
	"sasl.oauthbearer.client.secret",
	"sasl.oauthbearer.config",
	"sasl.oauthbearer.assertion.private.key.passphrase",
	"sasl.oauthbearer.assertion.private.key.pem",
};

/* a key met before, for the message about its repetition */
struct seen
{
	char	   *section;
	char	   *key;			/* NULL: the section itself */
	unsigned	line;
};

struct reader
{
	struct config *cfg;
	struct seen *seen;
	size_t		seen_count;
	char	   *secret;			/* the first secret in the file */
};

static char *set_option(struct config *cfg, const struct option *option,
						const char *value);
static char *set_kafka(struct config *cfg, const char *name,
					   const char *value);
static char *handle(void *arg, const char *section, const char *key,
					const char *value, unsigned line);

/* --- lookup ---------------------------------------------------------- */

static const struct option *
find_option(const char *section, const char *key)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (strcmp(options[i].section, section) == 0 &&
			strcmp(options[i].key, key) == 0)
			return &options[i];
	return NULL;
}

/* Letters to insert, delete or change until one word is the other. */
static size_t
edit_distance(const char *a, const char *b)
{
	size_t		len = strlen(b);
	size_t	   *row = mem_alloc((len + 1) * sizeof(size_t));
	size_t		result;

	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 0; a[i] != '\0'; i++)
	{
		size_t		diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < len; j++)
		{
			size_t		change = diagonal + (a[i] != b[j]);
			size_t		step = (row[j] < row[j + 1] ? row[j] : row[j + 1]) + 1;

			diagonal = row[j + 1];
			row[j + 1] = change < step ? change : step;
		}
	}
	result = row[len];
	free(row);
	return result;
}

static char *
unknown_key(const char *section, const char *key)
{
	const struct option *nearest = NULL;
	size_t		least = SIZE_MAX;

	for (size_t i = 0; i < OPTION_COUNT; i++)
	{
		size_t		distance = edit_distance(key, options[i].key);

		/* a key of another section is named only when it is that very key */
		if (strcmp(options[i].section, section) != 0 && distance > 0)
			continue;
		if (distance < least)
		{
			least = distance;
			nearest = &options[i];
		}
	}
	if (nearest == NULL)
		return mem_format("unknown key \"%s\" in [%s]", key, section);
	if (strcmp(nearest->section, section) != 0)
		return mem_format("unknown key \"%s\" in [%s]; it belongs in [%s]",
						  key, section, nearest->section);
	return mem_format("unknown key \"%s\" in [%s]; the nearest is \"%s\"",
					  key, section, nearest->key);
}

static char *
unknown_section(const char *section)
{
	static const char *const known[] = {
		"postgres", "kafka", "wal2kafka", "route TABLE"
	};
	size_t		best = 0;

	for (size_t i = 1; i < sizeof(known) / sizeof(known[0]); i++)
		if (edit_distance(section, known[i]) <
			edit_distance(section, known[best]))
			best = i;
	return mem_format("unknown section [%s]; the nearest is [%s]",
					  section, known[best]);
}

/* --- values ---------------------------------------------------------- */

static char *
bad_value(const struct option *option, const char *value,
		  const char *allowed)
{
	return mem_format("\"%s\" cannot be \"%s\"; it must be %s",
					  option->key, value, allowed);
}

static char *
bad_range(const struct option *option, const char *value)
{
	char		allowed[80];

	if (option->type == OPTION_SIZE)
		snprintf(allowed, sizeof(allowed),
				 "a size from %lldMB to %lldMB, as in %s",
				 (long long) (option->min / KB / KB),
				 (long long) (option->max / KB / KB), option->initial);
	else
		snprintf(allowed, sizeof(allowed), "a number from %lld to %lld",
				 (long long) option->min, (long long) option->max);
	return bad_value(option, value, allowed);
}

static bool
parse_unit(const char *unit, int64_t *factor)
{
	static const char *const units[] = {"", "kB", "MB", "GB"};

	*factor = 1;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
	{
		if (strcmp(unit, units[i]) == 0 ||
			(i == 0 && strcmp(unit, "B") == 0))
			return true;
		*factor *= KB;
	}
	return false;
}

/* A decimal number, with a unit if it is a size; false if out of range. */
static bool
parse_number(const struct option *option, const char *value, int64_t *number)
{
	char	   *end;
	int64_t		factor = 1;

	/* strtoll() would skip blanks and take a plus sign */
	if (!isdigit((unsigned char) value[value[0] == '-' ? 1 : 0]))
		return false;
	errno = 0;
	*number = strtoll(value, &end, 10);
	if (errno != 0)
		return false;
	end += strspn(end, " ");
	if (option->type == OPTION_SIZE ? !parse_unit(end, &factor) : *end != '\0')
		return false;
	if (*number < 0 ? *number < option->min : *number > option->max / factor)
		return false;
	*number *= factor;
	return *number >= option->min;
}

/* Index of the word in "a|b|c", or -1. */
static int
word_index(const char *words, const char *word)
{
	int			index = 0;

	for (size_t len; *words != '\0'; words += len + (words[len] == '|'))
	{
		len = strcspn(words, "|");
		if (strlen(word) == len && strncmp(words, word, len) == 0)
			return index;
		index++;
	}
	return -1;
}

/* "a, b or c" from "a|b|c" */
static char *
set_words(struct config *cfg, const struct option *option, const char *value)
{
	const char *words = option->words;
	int			index = word_index(words, value);

	if (option->type == OPTION_BOOL)
	{
		static const char *const truth[] = {"yes|no", "on|off", "true|false"};

		for (size_t i = 0; i < 3 && index < 0; i++)
			index = word_index(truth[i], value);
	}
	if (index < 0)
		return bad_value(option, value, words);
	if (option->type == OPTION_BOOL)
		*(bool *) ((char *) cfg + option->offset) = index == 0;
	else
		*(int *) ((char *) cfg + option->offset) = index;
	return NULL;
}

static char *
set_sink(struct config *cfg, const struct option *option, const char *value)
{
	free(cfg->sink_dir);
	cfg->sink_dir = mem_strdup("");
	if (strcmp(value, "kafka") == 0)
		cfg->sink = SINK_KAFKA;
	else if (strcmp(value, "stdout") == 0)
		cfg->sink = SINK_STDOUT;
	else if (strncmp(value, "file:", 5) == 0 && value[5] != '\0')
	{
		cfg->sink = SINK_FILE;
		free(cfg->sink_dir);
		cfg->sink_dir = mem_strdup(value + 5);
	}
	else
		return bad_value(option, value, option->words);
	return NULL;
}

static void
set_property(struct config_property **list, size_t *count,
			 const char *name, const char *value)
{
	for (size_t i = 0; i < *count; i++)
		if (strcmp((*list)[i].name, name) == 0)
		{
			free((*list)[i].value);
			(*list)[i].value = mem_strdup(value);
			return;
		}
	*list = mem_realloc(*list, (*count + 1) * sizeof(**list));
	(*list)[*count].name = mem_strdup(name);
	(*list)[(*count)++].value = mem_strdup(value);
}

static char *
set_option(struct config *cfg, const struct option *option, const char *value)
{
	char	  **text = (char **) ((char *) cfg + option->offset);
	int64_t		number;

	switch (option->type)
	{
		case OPTION_TEXT:
			free(*text);
			*text = mem_strdup(value);
			return NULL;
		case OPTION_INT:
			if (!parse_number(option, value, &number))
				return bad_range(option, value);
			*(int *) ((char *) cfg + option->offset) = (int) number;
			return NULL;
		case OPTION_SIZE:
			if (!parse_number(option, value, &number))
				return bad_range(option, value);
			*(uint64_t *) ((char *) cfg + option->offset) = (uint64_t) number;
			return NULL;
		case OPTION_BOOL:
		case OPTION_WORD:
			return set_words(cfg, option, value);
		case OPTION_SINK:
			return set_sink(cfg, option, value);
		case OPTION_PLUGIN:
			set_property(&cfg->plugin, &cfg->plugin_count, option->key, value);
			return NULL;
	}
	return NULL;
}

/* librdkafka judges names and values; see producer_conf() */
static char *
set_kafka(struct config *cfg, const char *name, const char *value)
{
	set_property(&cfg->kafka, &cfg->kafka_count, name, value);
	return NULL;
}

static char *
set_route(struct config *cfg, const char *key, const char *value)
{
	struct config_route *route = &cfg->routes[cfg->route_count - 1];
	char	  **field;

	if (strcmp(key, "topic") == 0)
		field = &route->topic;
	else if (strcmp(key, "key") == 0)
		field = &route->key;
	else
		return mem_format("unknown key \"%s\" in [route %s]; the nearest is "
						  "\"%s\"", key, route->table,
						  edit_distance(key, "topic") <
						  edit_distance(key, "key") ? "topic" : "key");
	free(*field);
	*field = mem_strdup(value);
	return NULL;
}

/* --- file ------------------------------------------------------------ */

/* Remembers a section or key of the file, or says where it was before. */
static char *
note_seen(struct reader *reader, const char *section, const char *key,
		  unsigned line)
{
	for (size_t i = 0; i < reader->seen_count; i++)
	{
		const struct seen *s = &reader->seen[i];

		if (strcmp(s->section, section) != 0)
			continue;
		if (key == NULL && s->key == NULL)
			return mem_format("section [%s] is repeated; it began on line %u",
							  section, s->line);
		if (key != NULL && s->key != NULL && strcmp(s->key, key) == 0)
			return mem_format("key \"%s\" of [%s] is repeated; it was set on "
							  "line %u", key, section, s->line);
	}
	reader->seen = mem_realloc(reader->seen, (reader->seen_count + 1) *
							   sizeof(struct seen));
	reader->seen[reader->seen_count++] = (struct seen)
	{
		mem_strdup(section), key ? mem_strdup(key) : NULL, line
	};
	return NULL;
}

static bool
is_route(const char *section)
{
	return strncmp(section, "route", 5) == 0 &&
		(section[5] == ' ' || section[5] == '\t');
}

static char *
begin_section(struct config *cfg, const char *section)
{
	if (is_route(section))
	{
		const char *table = section + 6 + strspn(section + 6, " \t");

		cfg->routes = mem_realloc(cfg->routes, (cfg->route_count + 1) *
								  sizeof(struct config_route));
		cfg->routes[cfg->route_count++] = (struct config_route)
		{
			mem_strdup(table), NULL, NULL
		};
		return NULL;
	}
	if (strcmp(section, "postgres") != 0 && strcmp(section, "kafka") != 0 &&
		strcmp(section, "wal2kafka") != 0)
		return unknown_section(section);
	return NULL;
}

/* A password in a connection string of either form. */
static bool
conninfo_has_password(const char *conninfo)
{
	const char *at = conninfo;
	const char *scheme = strstr(conninfo, "://");

	while ((at = strstr(at, "password")) != NULL)
	{
		at += strlen("password");
		at += strspn(at, " ");
		if (*at == '=')
			return true;
	}
	if (scheme != NULL)
	{
		size_t		user = strcspn(scheme + 3, "@/?");

		return scheme[3 + user] == '@' &&
			memchr(scheme + 3, ':', user) != NULL;
	}
	return false;
}

static bool
holds_secret(const char *section, const char *key, const char *value)
{
	if (strcmp(section, "kafka") == 0)
		return config_is_secret(key);
	return strcmp(section, "postgres") == 0 &&
		strcmp(key, "conninfo") == 0 && conninfo_has_password(value);
}

static char *
handle(void *arg, const char *section, const char *key, const char *value,
	   unsigned line)
{
	struct reader *reader = arg;
	const struct option *option;
	char	   *error = note_seen(reader, section, key, line);

	if (error != NULL)
		return error;
	if (key == NULL)
		return begin_section(reader->cfg, section);
	if (reader->secret == NULL && holds_secret(section, key, value))
		reader->secret = mem_strdup(key);
	if (is_route(section))
		return set_route(reader->cfg, key, value);
	if (strcmp(section, "kafka") == 0)
		return set_kafka(reader->cfg, key, value);
	option = find_option(section, key);
	if (option == NULL)
		return unknown_key(section, key);
	return set_option(reader->cfg, option, value);
}

static void
reader_free(struct reader *reader)
{
	for (size_t i = 0; i < reader->seen_count; i++)
	{
		free(reader->seen[i].section);
		free(reader->seen[i].key);
	}
	free(reader->seen);
	free(reader->secret);
}

char *
config_read(struct config *cfg, const char *name, const char *text,
			size_t len)
{
	struct reader reader = {cfg, NULL, 0, NULL};
	char	   *error = ini_parse(name, text, len, handle, &reader);

	reader_free(&reader);
	return error;
}

/*
 * As libpq does with key files: nobody but the owner may read secrets, except
 * the group when the file belongs to root (that is how a package installs
 * it, and how orchestrators mount it).
 */
static char *
check_mode(const char *path, const struct ini_file *file, const char *secret)
{
	unsigned	refused = file->owner == 0 ? S_IWGRP | S_IRWXO :
		S_IRWXG | S_IRWXO;

	if (file->mode & S_IWOTH)
		return mem_format("%s: file may be changed by anyone; run: "
						  "chmod o-w %s", path, path);
	if (secret != NULL && (file->mode & refused) != 0)
		return mem_format("%s: file holds a secret (\"%s\") and may be read "
						  "by others; run: chmod %s %s", path, secret,
						  file->owner == 0 ? "640" : "600", path);
	return NULL;
}

static char *
load_file(struct config *cfg, const char *path)
{
	struct reader reader = {cfg, NULL, 0, NULL};
	struct ini_file file;
	char	   *error;

	error = ini_read_file(path ? path : CONFIG_DEFAULT_PATH, &file);
	if (error != NULL && path == NULL && file.absent)
	{
		/* all may come from the environment */
		free(error);
		return NULL;
	}
	if (error != NULL)
		return error;
	cfg->path = mem_strdup(path ? path : CONFIG_DEFAULT_PATH);
	error = ini_parse(cfg->path, file.text, file.len, handle, &reader);
	if (error == NULL)
		error = check_mode(cfg->path, &file, reader.secret);
	reader_free(&reader);
	free(file.text);
	return error;
}

/* --- environment ----------------------------------------------------- */

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
		const char *value)
{
	const struct option *option;

	for (char *c = key; *c != '\0'; c++)
	{
		if (*c >= 'A' && *c <= 'Z')
			*c = (char) (*c + ('a' - 'A'));
		else if (*c == '_' && strcmp(section, "kafka") == 0)
			*c = '.';
	}
	if (strcmp(section, "kafka") == 0)
		return set_kafka(cfg, key, value);
	option = find_option(section, key);
	if (option == NULL)
		return unknown_key(section, key);
	return set_option(cfg, option, value);
}

/* "name" is the whole variable's, "key" what follows the section. */
static char *
env_one(struct config *cfg, const char *section, const char *name,
		const char *key, const char *value)
{
	size_t		len = strlen(key);
	bool		is_file = len > 5 && strcmp(key + len - 5, "_FILE") == 0;
	char	   *plain = mem_format("%.*s", (int) (strlen(name) - 5), name);
	char	   *word = mem_format("%.*s", (int) (is_file ? len - 5 : len), key);
	char	   *error = NULL;
	char	   *text = NULL;

	if (is_file && getenv(plain) != NULL)
		error = mem_format("both %s and %s are set; choose one", plain, name);
	else
		text = env_value(name, value, is_file, &error);
	if (text != NULL)
	{
		char	   *what = env_set(cfg, section, word, text);

		if (what != NULL)
			error = mem_format("environment variable %s: %s", name, what);
		free(what);
	}
	free(plain);
	free(word);
	free(text);
	return error;
}

static char *
load_environment(struct config *cfg)
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

/* --- command line ---------------------------------------------------- */

static char *
load_properties(struct config *cfg, const char *const *properties)
{
	for (; properties != NULL && *properties != NULL; properties++)
	{
		const char *equals = strchr(*properties, '=');
		char	   *name;

		if (equals == NULL || equals == *properties)
			return mem_format("-X \"%s\": not of the form name=value",
							  *properties);
		name = mem_format("%.*s", (int) (equals - *properties), *properties);
		if (config_is_secret(name))
		{
			char	   *error = mem_format("-X %s: everybody on this machine "
										   "can read a command line; put it "
										   "in the config file, or in a file "
										   "named by " ENV_PREFIX "KAFKA_..."
										   "_FILE", name);

			free(name);
			return error;
		}
		set_kafka(cfg, name, equals + 1);
		free(name);
	}
	return NULL;
}

/* --- the whole ------------------------------------------------------- */

bool
config_is_secret(const char *property)
{
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
		if (strcmp(secrets[i], property) == 0)
			return true;
	return false;
}

const char *
config_property(const struct config *cfg, const char *name)
{
	for (size_t i = 0; i < cfg->kafka_count; i++)
		if (strcmp(cfg->kafka[i].name, name) == 0)
			return cfg->kafka[i].value;
	return NULL;
}

static char *
missing(const char *section, const char *key, const char *variable)
{
	return mem_format("key \"%s\" of section [%s] is missing; set it there "
					  "or in " ENV_PREFIX "%s", key, section, variable);
}

static char *
check_slot_name(const char *slot)
{
	if (strspn(slot, "abcdefghijklmnopqrstuvwxyz0123456789_") ==
		strlen(slot) && strlen(slot) <= NAMES_MAX_LENGTH)
		return NULL;
	return mem_format("\"slot\" cannot be \"%s\"; it must be at most %d of "
					  "a-z, 0-9 and _", slot, NAMES_MAX_LENGTH);
}

static char *
check_list(const char *key, const char *value)
{
	struct names names;

	if (*value == '\0')
		return NULL;
	if (!names_parse(&names, value, ','))
		return mem_format("\"%s\" cannot be \"%s\"; it must be names "
						  "separated by commas, in double quotes where SQL "
						  "needs them", key, value);
	names_free(&names);
	return NULL;
}

static char *
check_route(const struct config_route *route)
{
	struct names names;
	bool		is_table = names_parse(&names, route->table, '.') &&
		names.count <= 2;
	char	   *error;

	names_free(&names);
	if (!is_table)
		return mem_format("[route %s]: not a table; write [route TABLE] or "
						  "[route SCHEMA.TABLE], in double quotes where SQL "
						  "needs them", route->table);
	if (route->topic == NULL && route->key == NULL)
		return mem_format("[route %s] sets neither \"topic\" nor \"key\"",
						  route->table);
	if (route->topic != NULL && !topic_name_is_legal(route->topic))
		return mem_format("[route %s]: \"topic\" cannot be \"%s\"; Kafka "
						  "takes at most %d of A-Z, a-z, 0-9, \".\", \"_\" "
						  "and \"-\"", route->table, route->topic,
						  TOPIC_NAME_MAX);
	if (route->key == NULL)
		return NULL;
	error = check_list("key", *route->key ? route->key : ",");
	if (error != NULL)
	{
		char	   *full = mem_format("[route %s]: %s", route->table, error);

		free(error);
		return full;
	}
	return NULL;
}

static char *
check_postgres(const struct config *cfg)
{
	char	   *error;

	if (*cfg->conninfo == '\0')
		return missing("postgres", "conninfo", "POSTGRES_CONNINFO");
	if (*cfg->slot == '\0')
		return missing("postgres", "slot", "POSTGRES_SLOT");
	if ((error = check_slot_name(cfg->slot)) != NULL ||
		(error = check_list("publication", cfg->publication)) != NULL)
		return error;
	if (*cfg->publication_tables != '\0' && *cfg->publication == '\0')
		return mem_strdup("\"publication_tables\" is set and "
						  "\"publication\" is not; name the publication to "
						  "create");
	if (*cfg->topic_prefix != '\0' && !topic_name_is_legal(cfg->topic_prefix))
		return mem_format("\"topic_prefix\" cannot be \"%s\"; Kafka takes at "
						  "most %d of A-Z, a-z, 0-9, \".\", \"_\" and \"-\"",
						  cfg->topic_prefix, TOPIC_NAME_MAX);
	return NULL;
}

char *
config_check(const struct config *cfg)
{
	char	   *error = check_postgres(cfg);

	if (error != NULL)
		return error;
	if (cfg->sink == SINK_KAFKA &&
		config_property(cfg, "bootstrap.servers") == NULL &&
		config_property(cfg, "metadata.broker.list") == NULL &&
		config_property(cfg, "test.mock.num.brokers") == NULL)
		return missing("kafka", "bootstrap.servers",
					   "KAFKA_BOOTSTRAP_SERVERS");
	if (cfg->topic_partitions == 0 || cfg->topic_replication_factor == 0)
		return mem_format("\"%s\" cannot be \"0\"; it must be -1 or at "
						  "least 1", cfg->topic_partitions == 0 ?
						  "topic_partitions" : "topic_replication_factor");
	for (size_t i = 0; i < cfg->route_count; i++)
		if ((error = check_route(&cfg->routes[i])) != NULL)
			return error;
	return NULL;
}

void
config_init(struct config *cfg)
{
	memset(cfg, 0, sizeof(*cfg));
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (options[i].initial != NULL)
			free(set_option(cfg, &options[i], options[i].initial));
}

char *
config_load(struct config *cfg, const char *path,
			const char *const *properties)
{
	char	   *error;

	config_init(cfg);
	if ((error = load_file(cfg, path)) != NULL ||
		(error = load_environment(cfg)) != NULL ||
		(error = load_properties(cfg, properties)) != NULL)
		return error;
	error = config_check(cfg);
	if (error != NULL)
	{
		char	   *full = mem_format("%s: %s", cfg->path ? cfg->path :
									  "no file at " CONFIG_DEFAULT_PATH,
									  error);

		free(error);
		return full;
	}
	return NULL;
}

static void
free_properties(struct config_property *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
	{
		free(list[i].name);
		free(list[i].value);
	}
	free(list);
}

void
config_free(struct config *cfg)
{
	free(cfg->conninfo);
	free(cfg->slot);
	free(cfg->publication);
	free(cfg->publication_tables);
	free(cfg->topic_prefix);
	free(cfg->sink_dir);
	free(cfg->path);
	free_properties(cfg->kafka, cfg->kafka_count);
	free_properties(cfg->plugin, cfg->plugin_count);
	for (size_t i = 0; i < cfg->route_count; i++)
	{
		free(cfg->routes[i].table);
		free(cfg->routes[i].topic);
		free(cfg->routes[i].key);
	}
	free(cfg->routes);
	memset(cfg, 0, sizeof(*cfg));
}

void
config_help(FILE *to)
{
	const char *section = "";

	for (size_t i = 0; i < OPTION_COUNT; i++)
	{
		const struct option *option = &options[i];

		if (strcmp(section, option->section) != 0)
			fprintf(to, "[%s]\n", option->section);
		section = option->section;
		fprintf(to, "  %-24s %s", option->key, option->help);
		if (option->words != NULL)
			fprintf(to, " (%s)", option->words);
		if (option->initial != NULL && *option->initial != '\0')
			fprintf(to, " [%s]", option->initial);
		fputc('\n', to);
	}
}
