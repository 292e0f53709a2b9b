/*
 * option.c
 *		The table of keys that the config file may have.
 *
 * One row describes a key; defaults, checks, messages, --keys and the names of
 * environment variables come from it.
 */
#include "option.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

enum option_type
{
	OPTION_TEXT,
	OPTION_INT,
	OPTION_SIZE,
	OPTION_BOOL,
	OPTION_WORD,				/* index of one of "words" */
	OPTION_SINK,
	OPTION_PLUGIN_WORD,			/* collected for the plugin */
	OPTION_PLUGIN_BOOL,
	OPTION_PLUGIN_SIZE,
	OPTION_PLUGIN_TEXT,
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
	{"postgres", "failover", OPTION_BOOL, AT(failover), "no", 0, 0, "yes|no",
	"init makes a slot that standbys have too (17 and later)"},
	{"postgres", "publication", OPTION_TEXT, AT(publication), "", 0, 0, NULL,
	"publications, by commas; empty: every table"},
	{"postgres", "publication_tables", OPTION_TEXT, AT(publication_tables),
		"", 0, 0, NULL,
	"all, or tables, that init creates the publication for"},
	{"postgres", "topic_prefix", OPTION_TEXT, AT(topic_prefix), "", 0, 0, NULL,
	"first part of every default topic"},

	{"wal2kafka", "sink", OPTION_SINK, AT(sink), "kafka", 0, 0,
	"kafka|stdout|file:DIR", "where records go"},
	{"wal2kafka", "processing_guarantee", OPTION_WORD,
		AT(processing_guarantee), "at_least_once", 0, 0,
		"at_least_once|exactly_once",
	"how often read_committed consumers see a record"},
	{"wal2kafka", "topics", OPTION_WORD, AT(topics), "require", 0, 0,
	"require|create", "what to do about a missing topic"},
	{"wal2kafka", "topic_partitions", OPTION_INT, AT(topic_partitions), "-1",
	-1, 100000, NULL, "of a created topic; -1: the broker's default"},
	{"wal2kafka", "topic_replication_factor", OPTION_INT,
		AT(topic_replication_factor), "-1", -1, 100, NULL,
	"of a created topic; -1: the broker's default"},
	{"wal2kafka", "max_in_flight", OPTION_SIZE, AT(max_in_flight), "32MB",
	1024 * KB, 4 * KB * KB * KB, NULL, "bytes sent and not acknowledged"},
	{"wal2kafka", "state", OPTION_TEXT, AT(state), "", 0, 0, "TOPIC|none",
	"topic of the state record; empty: [topic_prefix.]wal2kafka.state"},
	{"wal2kafka", "shutdown_timeout", OPTION_INT, AT(shutdown_timeout), "30",
	0, 86400, NULL, "seconds to drain when asked to stop"},
	{"wal2kafka", "release_after", OPTION_INT, AT(release_after), "10",
		1, 86400, NULL,
	"seconds without an acknowledgement, then the server is let go"},
	{"wal2kafka", "standby_check_interval", OPTION_INT,
		AT(standby_check_interval), "3", 1, 3600, NULL,
	"seconds between looks at a slot that another program reads"},
	{"wal2kafka", "allow_plaintext", OPTION_BOOL, AT(allow_plaintext), "no",
	0, 0, "yes|no", "Kafka without TLS beyond this machine"},
	{"wal2kafka", "http", OPTION_TEXT, AT(http), "none", 0, 0,
	"none|PORT|ADDRESS:PORT", "where to answer /live, /ready and /metrics"},
	{"wal2kafka", "control", OPTION_TEXT, AT(control), "", 0, 0, "PATH|none",
	"socket for commands; empty: /run/wal2kafka/SLOT.sock"},
	{"wal2kafka", "snapshot_connections", OPTION_INT,
		AT(snapshot_connections), "2", 1, 16, NULL,
	"connections that read tables at the same time"},
	{"wal2kafka", "snapshot_chunk_rows", OPTION_INT, AT(snapshot_chunk_rows),
	"10000", 100, 1000000, NULL, "rows of a table that are read at once"},
	{"wal2kafka", "snapshot_rate", OPTION_INT, AT(snapshot_rate), "0",
		0, 1000000000, NULL,
	"rows that a snapshot sends in a second at most; 0: no limit"},
	{"wal2kafka", "log_format", OPTION_WORD, AT(log_format), "text", 0, 0,
	"text|json", "of the log on standard error"},
	{"wal2kafka", "log_level", OPTION_WORD, AT(log_level), "info", 0, 0,
	"error|warning|info|debug", "the least that is logged"},

	{"wal2kafka", "truncate", OPTION_PLUGIN_WORD, 0, NULL, 0, 0,
	"skip|emit|halt", "what a TRUNCATE does"},
	{"wal2kafka", "key_change", OPTION_PLUGIN_WORD, 0, NULL, 0, 0,
	"split|update", "how an update of the key is sent"},
	{"wal2kafka", "partitioner", OPTION_PLUGIN_WORD, 0, NULL, 0, 0,
	"murmur2|crc32", "hash of the key"},
	{"wal2kafka", "generated", OPTION_PLUGIN_WORD, 0, NULL, 0, 0,
	"none|stored", "generated columns, without a publication"},
	{"wal2kafka", "missing_publication", OPTION_PLUGIN_WORD, 0, NULL, 0, 0,
	"error|skip", "where the log is older than a publication"},
	{"wal2kafka", "fields", OPTION_PLUGIN_WORD, 0, NULL, 0, 0,
	"all|none", "fields beyond the five of the contract"},
	{"wal2kafka", "include_xid", OPTION_PLUGIN_BOOL, 0, NULL, 0, 0,
	"on|off", "transaction id in each record"},
	{"wal2kafka", "include_origin", OPTION_PLUGIN_BOOL, 0, NULL, 0, 0,
	"on|off", "replication origin in each record"},
	{"wal2kafka", "flush", OPTION_PLUGIN_WORD, 0, NULL, 0, 0,
	"batch|commit", "when the plugin sends what it holds"},
	{"wal2kafka", "origin", OPTION_PLUGIN_WORD, 0, NULL, 0, 0,
	"any|none", "none: only what no replication origin brought"},
	{"wal2kafka", "message_topics", OPTION_PLUGIN_TEXT, 0, NULL, 0, 0,
	"TOPIC,...", "topics that messages may go to; * and ? stand for others"},
	{"wal2kafka", "on_error", OPTION_PLUGIN_WORD, 0, NULL, 0, 0,
	"halt|stub", "what a record that cannot be sent whole does"},
	{"wal2kafka", "stub", OPTION_PLUGIN_TEXT, 0, NULL, 0, 0,
	"LSN/SEQ,...", "records to send without what is in the way"},
	{"wal2kafka", "max_record", OPTION_PLUGIN_SIZE, 0, NULL, 0,
	CONFIG_RECORD_MAX, "SIZE", "largest record the plugin may make"},
};

#define OPTION_COUNT	(sizeof(options) / sizeof(options[0]))

static char *
bad_value(const struct option *option, const char *value,
		  const char *allowed)
{
	return mem_format("\"%s\" cannot be \"%s\"; it must be %s",
					  option->key, value, allowed);
}

static bool
is_size(const struct option *option)
{
	return option->type == OPTION_SIZE || option->type == OPTION_PLUGIN_SIZE;
}

static char *
bad_range(const struct option *option, const char *value)
{
	char		allowed[80];

	if (is_size(option))
		snprintf(allowed, sizeof(allowed),
				 "a size from %lldkB to %lldkB, as in 32MB",
				 (long long) (option->min / KB),
				 (long long) (option->max / KB));
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
	if (is_size(option) ? !parse_unit(end, &factor) : *end != '\0')
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

/* 0 for true, 1 for false, -1 for neither */
static int
truth_index(const char *word)
{
	static const char *const truth[] = {"yes|no", "on|off", "true|false"};
	int			index = -1;

	for (size_t i = 0; i < 3 && index < 0; i++)
		index = word_index(truth[i], word);
	return index;
}

static char *
set_words(struct config *cfg, const struct option *option, const char *value)
{
	int			index = option->type == OPTION_BOOL ? truth_index(value) :
		word_index(option->words, value);

	if (index < 0)
		return bad_value(option, value, option->words);
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
			 const char *name, const char *value, const char *from)
{
	for (size_t i = 0; i < *count; i++)
		if (strcmp((*list)[i].name, name) == 0)
		{
			free((*list)[i].value);
			(*list)[i].value = mem_strdup(value);
			free((*list)[i].from);
			(*list)[i].from = mem_strdup(from);
			return;
		}
	*list = mem_realloc(*list, (*count + 1) * sizeof(**list));
	(*list)[(*count)++] = (struct config_property)
	{
		mem_strdup(name), mem_strdup(value), mem_strdup(from)
	};
}

/*
 * The plugin has the last word on these; a mistake is found here first, where
 * its line is known, and before anything is connected to.
 */
static char *
set_plugin(struct config *cfg, const struct option *option,
		   const char *value, const char *from)
{
	char		number[24];
	int64_t		size;

	if (option->type == OPTION_PLUGIN_SIZE)
	{
		if (!parse_number(option, value, &size))
			return bad_range(option, value);
		snprintf(number, sizeof(number), "%lld", (long long) size);
		value = number;
	}
	else if (option->type == OPTION_PLUGIN_BOOL)
	{
		if (truth_index(value) < 0)
			return bad_value(option, value, option->words);
		value = truth_index(value) == 0 ? "on" : "off";
	}
	else if (option->type == OPTION_PLUGIN_WORD &&
			 word_index(option->words, value) < 0)
		return bad_value(option, value, option->words);
	set_property(&cfg->plugin, &cfg->plugin_count, option->key, value, from);
	return NULL;
}

static char *
set_option(struct config *cfg, const struct option *option,
		   const char *value, const char *from)
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
		case OPTION_PLUGIN_WORD:
		case OPTION_PLUGIN_BOOL:
		case OPTION_PLUGIN_SIZE:
		case OPTION_PLUGIN_TEXT:
			return set_plugin(cfg, option, value, from);
	}
	return NULL;
}

static const struct option *
find_option(const char *section, const char *key)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (strcmp(options[i].section, section) == 0 &&
			strcmp(options[i].key, key) == 0)
			return &options[i];
	return NULL;
}

size_t
option_distance(const char *a, const char *b)
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
		size_t		distance = option_distance(key, options[i].key);

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

char *
option_set(struct config *cfg, const char *section, const char *key,
		   const char *value, const char *from)
{
	const struct option *option;

	if (strcmp(section, "kafka") == 0)
	{
		set_property(&cfg->kafka, &cfg->kafka_count, key, value, from);
		return NULL;
	}
	option = find_option(section, key);
	if (option == NULL)
		return unknown_key(section, key);
	return set_option(cfg, option, value, from);
}

void
option_defaults(struct config *cfg)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (options[i].initial != NULL)
			free(set_option(cfg, &options[i], options[i].initial,
							"default"));
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
