/*
 * options.c
 *		What the client asked of the plugin: one table, one function over it.
 *
 * Options come from whoever may open the slot.  None of them reads a file,
 * runs SQL or names code, and none may.
 */
#include "postgres.h"

#include <limits.h>

#include "lib/stringinfo.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/varlena.h"

#include "message.h"
#include "options.h"
#include "route.h"
#include "stub.h"
#include "topicname.h"
#include "wire.h"

typedef enum OptionType
{
	OPTION_STRING,
	OPTION_INT,
	OPTION_BOOL,
	OPTION_ENUM,
} OptionType;

typedef struct Option
{
	const char *name;
	OptionType	type;
	size_t		offset;
	bool		changes_bytes;	/* part of the fingerprint */
	int			min;
	int			max;
	const char *const *values;	/* of an enum, in the order of its C enum */
} Option;

static const char *const truncate_values[] = {"skip", "emit", "halt", NULL};
static const char *const key_change_values[] = {"split", "update", NULL};
static const char *const partitioner_values[] = {"murmur2", "crc32", NULL};
static const char *const generated_values[] = {"none", "stored", NULL};
static const char *const fields_values[] = {"all", "none", NULL};
static const char *const missing_publication_values[] = {
	"error", "skip", NULL
};
static const char *const on_error_values[] = {"halt", "stub", NULL};
static const char *const flush_values[] = {"batch", "commit", NULL};
static const char *const origin_values[] = {"any", "none", NULL};

#define AT(name) offsetof(Wal2KafkaOptions, name)
#define STRING(name) {#name, OPTION_STRING, AT(name), true, 0, 0, NULL}
#define NAMES(name) {#name, OPTION_STRING, AT(name), false, 0, 0, NULL}
#define BOOL(name) {#name, OPTION_BOOL, AT(name), true, 0, 0, NULL}
#define INT(name, min, max) \
	{#name, OPTION_INT, AT(name), false, min, max, NULL}
#define ENUM(name, changes) \
	{#name, OPTION_ENUM, AT(name), changes, 0, 0, name##_values}

static const Option option_table[] = {
	INT(proto_version, 1, INT_MAX),
	STRING(publication_names),
	STRING(topic_prefix),
	STRING(routes),
	ENUM(truncate, true),
	ENUM(key_change, true),
	ENUM(partitioner, true),
	ENUM(generated, true),
	ENUM(fields, true),
	ENUM(missing_publication, true),
	ENUM(flush, false),
	ENUM(origin, true),
	STRING(message_topics),
	NAMES(state_topic),
	BOOL(include_xid),
	BOOL(include_origin),
	ENUM(on_error, true),
	NAMES(stub),
	INT(max_record, 0, RECORD_SIZE_MAX),
	INT(timeline, 1, INT_MAX),
};

#undef STRING
#undef NAMES
#undef BOOL
#undef INT
#undef ENUM

/* What people who come from pgoutput will try, and why it cannot be. */
static const struct
{
	const char *name;
	const char *reason;
}			refused_options[] = {
	{"streaming", "Records are sent when their transaction has committed."},
	{"two_phase", "A prepared transaction is sent when it is committed."},
	{"binary", "Values are the text of their type."},
};

static void
option_unknown(const char *name)
{
	for (int i = 0; i < lengthof(refused_options); i++)
	{
		if (strcmp(name, refused_options[i].name) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("option \"%s\" is not supported by output plugin \"wal2kafka\"",
							name),
					 errdetail("%s", refused_options[i].reason),
					 errhint("Leave the option out.")));
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized option \"%s\" for output plugin \"wal2kafka\"",
					name)));
}

static const Option *
option_find(const char *name)
{
	for (int i = 0; i < lengthof(option_table); i++)
	{
		if (strcmp(name, option_table[i].name) == 0)
			return &option_table[i];
	}
	option_unknown(name);
	return NULL;				/* not reached */
}

static void
option_bad_value(const Option *option, const char *value, const char *wanted)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for option \"%s\": \"%s\"",
					option->name, value),
			 errhint("Valid values are %s.", wanted)));
}

static int
option_enum_value(const Option *option, const char *value)
{
	StringInfoData wanted;

	for (int i = 0; option->values[i]; i++)
	{
		if (strcmp(value, option->values[i]) == 0)
			return i;
	}

	initStringInfo(&wanted);
	for (int i = 0; option->values[i]; i++)
		appendStringInfo(&wanted, "%s\"%s\"", i > 0 ? ", " : "",
						 option->values[i]);
	option_bad_value(option, value, wanted.data);
	return 0;					/* not reached */
}

static int
option_int_value(const Option *option, const char *value)
{
	char	   *end;
	long		number;

	errno = 0;
	number = strtol(value, &end, 10);
	if (errno != 0 || end == value || *end != '\0' ||
		number < option->min || number > option->max)
		option_bad_value(option, value,
						 psprintf("%d to %d", option->min, option->max));
	return (int) number;
}

static void
option_set(const Option *option, const char *value, Wal2KafkaOptions *options)
{
	char	   *field = (char *) options + option->offset;

	switch (option->type)
	{
		case OPTION_STRING:
			*(char **) field = pstrdup(value);
			break;
		case OPTION_INT:
			*(int *) field = option_int_value(option, value);
			break;
		case OPTION_BOOL:
			if (!parse_bool(value, (bool *) field))
				option_bad_value(option, value, "\"on\" and \"off\"");
			break;
		case OPTION_ENUM:
			*(int *) field = option_enum_value(option, value);
			break;
	}
}

static List *
message_topics_parse(const char *value)
{
	const char *rest = value[0] != '\0' ? value : NULL;
	char		glob[TOPIC_NAME_MAX + 1];
	List	   *globs = NIL;

	while (message_next_topic(&rest, glob))
	{
		if (glob[0] == '\0')
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid value for option \"message_topics\": \"%s\"",
							value),
					 errhint("Write topics with commas between them; \"*\" stands for any characters, \"?\" for one.")));
		globs = lappend(globs, pstrdup(glob));
	}
	return globs;
}

/* What the options mean together, once each is known to be well formed. */
static void
options_finish(Wal2KafkaOptions *options)
{
	if (options->proto_version > WIRE_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("client asked for proto_version %d, but the plugin speaks only %d",
						options->proto_version, WIRE_VERSION),
				 errhint("Install the same version of wal2kafka on the server and beside Kafka.")));

	if (options->topic_prefix[0] != '\0' &&
		!topic_name_is_legal(options->topic_prefix))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"topic_prefix\": \"%s\"",
						options->topic_prefix),
				 errhint("A topic's name is made of letters, digits, \".\", \"_\" and \"-\".")));

	/* an empty list must not come to mean every table */
	if (options->publication_names &&
		(!SplitIdentifierString(pstrdup(options->publication_names), ',',
								&options->publications) ||
		 options->publications == NIL))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("invalid value for option \"publication_names\": \"%s\"",
						options->publication_names),
				 errhint("Write a list of names with commas between them, each in double quotes where SQL needs them.")));

	if (options->message_topics)
		options->message_globs = message_topics_parse(options->message_topics);
	options->record_limit = options->max_record > 0 ?
		options->max_record : RECORD_SIZE_MAX;
	if (options->stub)
		options->stub_names = wal2kafka_stub_names(options->stub);
	if (options->routes)
		options->route_list = wal2kafka_routes_parse(options->routes);
}

/* Same options and version, same bytes: FNV-1a over what decides them. */
static void
fingerprint_add(Wal2KafkaOptions *options, const char *text)
{
	options->fingerprint = options->fingerprint * UINT64CONST(0x100000001b3) ^
		topic_name_hash(text, strlen(text) + 1);
}

static void
options_fingerprint(Wal2KafkaOptions *options)
{
	fingerprint_add(options, WAL2KAFKA_VERSION);
	for (int i = 0; i < lengthof(option_table); i++)
	{
		const Option *option = &option_table[i];
		const char *field = (const char *) options + option->offset;

		if (!option->changes_bytes)
			continue;
		fingerprint_add(options, option->name);
		if (option->type == OPTION_STRING)
			fingerprint_add(options, *(char *const *) field ?
							*(char *const *) field : "");
		else if (option->type == OPTION_BOOL)
			fingerprint_add(options, *(const bool *) field ? "on" : "off");
		else
			fingerprint_add(options, option->values[*(const int *) field]);
	}
	/* a record named in "stub" was never sent before, or it need not be */
	if (options->on_error == ON_ERROR_STUB)
		fingerprint_add(options, psprintf("%zu", options->record_limit));
}

void
wal2kafka_options_parse(List *given, Wal2KafkaOptions *options)
{
	const Option *seen[lengthof(option_table)] = {NULL};
	ListCell   *lc;

	memset(options, 0, sizeof(*options));
	options->topic_prefix = pstrdup("");

	foreach(lc, given)
	{
		DefElem    *elem = lfirst_node(DefElem, lc);
		const Option *option = option_find(elem->defname);
		int			i = option - option_table;

		if (seen[i])
			ereport(ERROR,
					(errcode(ERRCODE_SYNTAX_ERROR),
					 errmsg("option \"%s\" is given more than once",
							option->name)));
		seen[i] = option;

		if (elem->arg == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("option \"%s\" needs a value", option->name)));
		option_set(option, strVal(elem->arg), options);
	}

	options_finish(options);
	options_fingerprint(options);
}
