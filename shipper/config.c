/*
 * config.c
 *		What the operator asked for: INI file, environment, command line.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "environment.h"
#include "ini.h"
#include "mem.h"
#include "option.h"


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
	const char *name;			/* of the file, for messages */
	struct seen *seen;
	size_t		seen_count;
	char	   *secret;			/* the first secret in the file */
};

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
						  option_distance(key, "topic") <
						  option_distance(key, "key") ? "topic" : "key");
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

static char *
unknown_section(const char *section)
{
	static const char *const known[] = {
		"postgres", "kafka", "wal2kafka", "route TABLE"
	};
	size_t		best = 0;

	for (size_t i = 1; i < sizeof(known) / sizeof(known[0]); i++)
		if (option_distance(section, known[i]) <
			option_distance(section, known[best]))
			best = i;
	return mem_format("unknown section [%s]; the nearest is [%s]",
					  section, known[best]);
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
	char	   *error = note_seen(reader, section, key, line);
	char	   *from;

	if (error != NULL)
		return error;
	if (key == NULL)
		return begin_section(reader->cfg, section);
	if (reader->secret == NULL && holds_secret(section, key, value))
		reader->secret = mem_strdup(key);
	if (is_route(section))
		return set_route(reader->cfg, key, value);
	from = mem_format("%s:%u", reader->name, line);
	error = option_set(reader->cfg, section, key, value, from);
	free(from);
	return error;
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
	struct reader reader = {cfg, name, NULL, 0, NULL};
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
	struct reader reader = {cfg, path, NULL, 0, NULL};
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
	reader.name = cfg->path;
	error = ini_parse(cfg->path, file.text, file.len, handle, &reader);
	if (error == NULL)
		error = check_mode(cfg->path, &file, reader.secret);
	reader_free(&reader);
	free(file.text);
	return error;
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
										   "named by WAL2KAFKA_KAFKA_..."
										   "_FILE", name);

			free(name);
			return error;
		}
		option_set(cfg, "kafka", name, equals + 1, "-X");
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

const char *
config_plugin_option(const struct config *cfg, const char *name,
					 const char *initial)
{
	for (size_t i = 0; i < cfg->plugin_count; i++)
		if (strcmp(cfg->plugin[i].name, name) == 0)
			return cfg->plugin[i].value;
	return initial;
}

bool
config_may_lack_publications(const struct config *cfg)
{
	return strcmp(config_plugin_option(cfg, "missing_publication",
									   "error"), "skip") == 0;
}

void
config_init(struct config *cfg)
{
	memset(cfg, 0, sizeof(*cfg));
	option_defaults(cfg);
}

char *
config_load(struct config *cfg, const char *path,
			const char *const *properties)
{
	char	   *error;

	config_init(cfg);
	if ((error = load_file(cfg, path)) != NULL ||
		(error = environment_load(cfg)) != NULL ||
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
		free(list[i].from);
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
	free(cfg->state);
	free(cfg->sink_dir);
	free(cfg->http);
	free(cfg->control);
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

