/*
 * reaction_test.c
 *		What an SQLSTATE leads to, and the command that starts streaming.
 */
#include <stdlib.h>

#include "reaction.h"
#include "replcommand.h"
#include "tap.h"

struct expected
{
	const char *sqlstate;
	const char *message;
	bool		streaming;
	enum reaction reaction;
	const char *hint_part;		/* NULL: any hint, or none */
};

/* What servers of 15 to 19 say, and a few words in other languages. */
static const struct expected reactions[] = {
	{"", "could not connect", false, REACTION_RETRY, NULL},
	{"", "server closed the connection unexpectedly", true, REACTION_RETRY,
		NULL},
	{"57P01", "terminating connection due to administrator command", true,
		REACTION_WAIT, NULL},
	{"57P02", "terminating connection because of crash of another server "
		"process", true, REACTION_WAIT, NULL},
	{"57P03", "the database system is starting up", false, REACTION_RETRY,
		NULL},
	{"57P03", "the database system is shutting down", false, REACTION_RETRY,
		NULL},
	{"57P04", "terminating connection because database was dropped", true,
		REACTION_PERSON, NULL},
	{"08006", "", false, REACTION_RETRY, NULL},
	{"08P01", "pooler: no more connections", false, REACTION_RETRY, NULL},
	{"08006", "raised by a function", true, REACTION_REPEAT, NULL},

	{"55006", "replication slot \"s\" is active for PID 1", false,
		REACTION_STANDBY, NULL},
	{"42704", "replication slot \"s\" does not exist", false,
		REACTION_PERSON, "wal2kafka init"},
	{"55000", "replication slot \"s\" was not created in this database",
		false, REACTION_PERSON, "conninfo"},
	{"55000", "can no longer get changes from replication slot \"s\"", false,
		REACTION_PERSON, "lost WAL"},
	{"55000", "can no longer access replication slot \"s\"", false,
		REACTION_PERSON, "lost WAL"},
	{"55000", "can no longer access replication slot \"s\"", true,
		REACTION_PERSON, "lost WAL"},
	{"55000", "Slot nicht mehr da", false, REACTION_PERSON, "lost WAL"},
	{"55000", "raised by a function", true, REACTION_REPEAT, NULL},
	{"55006", "raised by a function", true, REACTION_REPEAT, NULL},
	{"55000", "logical decoding requires wal_level >= logical", false,
		REACTION_PERSON, "wal_level"},
	{"58P01", "requested WAL segment 0000 has already been removed", true,
		REACTION_REPEAT, "lost WAL"},
	{"58P01", "could not access file \"wal2kafka\": No such file", false,
		REACTION_PERSON, "Install"},
	{"42704", "publication \"p\" does not exist", true, REACTION_PERSON,
		"publication"},

	{"42501", "library \"wal2kafka\" may not be used as an output plugin",
		false, REACTION_PERSON, "ALTER ROLE {role} IN DATABASE"},
	{"42501", "nicht erlaubt", false, REACTION_CONFIG, "ALTER ROLE"},
	{"42501", "must be superuser or replication role to start walsender",
		false, REACTION_CONFIG, "REPLICATION"},
	{"28P01", "password authentication failed", false, REACTION_CONFIG,
		"password"},
	{"28000", "role \"r\" is not permitted to log in", false,
		REACTION_CONFIG, NULL},
	{"3D000", "database \"d\" does not exist", false, REACTION_CONFIG, NULL},
	{"25006", "cannot execute in a read-only transaction", false,
		REACTION_RETRY, "primary"},
	{"55000", "logical decoding cannot be used while in recovery", false,
		REACTION_RETRY, "primary"},
	{"55000", "logical decoding on standby requires wal_level >= logical on "
		"the primary", false, REACTION_RETRY, "primary"},
	{"55000", "replication slot \"x\" specified in parameter "
		"\"synchronized_standby_slots\" does not have active_pid", false,
		REACTION_RETRY, "standby"},

	{"53100", "could not write to file: No space left on device", true,
		REACTION_RETRY, "disk"},
	{"53200", "out of memory", true, REACTION_RETRY, NULL},
	{"53300", "sorry, too many clients already", false, REACTION_RETRY,
		"max_connections"},
	{"53300", "number of requested standby connections exceeds "
		"max_wal_senders", false, REACTION_RETRY, "max_wal_senders"},
	{"53400", "all replication slots are in use", false, REACTION_RETRY,
		NULL},

	{"XX000", "invalid memory alloc request size 1073741824", true,
		REACTION_REPEAT, "larger"},
	{"54000", "out of memory", true, REACTION_REPEAT, "larger"},
	{"54000", "record is too large", true, REACTION_PERSON, NULL},
	{"38000", "the output function of column \"c\"", true, REACTION_PERSON,
		NULL},
	{"XX000", "could not find record while sending logically-decoded data",
		true, REACTION_TRANSIENT, "pass"},
	{"58P01", "could not open file \"pg_replslot/s/xid-1-lsn-0-1.spill\"",
		true, REACTION_TRANSIENT, "pass"},
	{"58P01", "could not rename file \"pg_logical/snapshots/0-1.snap.tmp\"",
		true, REACTION_TRANSIENT, "pass"},
	{"XX000", "unrecognized SI message ID: -7", true, REACTION_TRANSIENT,
		"pass"},
	{"XX000", "pfree called with invalid pointer 0x1", true,
		REACTION_TRANSIENT, "pass"},
	{"XX000", "GenerationFree: found invalid block", true, REACTION_TRANSIENT,
		"pass"},
	{"XX000", "whatever", true, REACTION_REPEAT, NULL},
	{"57014", "canceling statement due to user request", true,
		REACTION_REPEAT, NULL},
	{"22023", "invalid value for option", false, REACTION_PERSON, NULL},
};

static void
test_reactions(void)
{
	char		name[200];

	for (size_t i = 0; i < sizeof(reactions) / sizeof(reactions[0]); i++)
	{
		const struct expected *e = &reactions[i];
		const char *hint;
		enum reaction got = reaction_find(e->sqlstate, e->message,
										  e->streaming, &hint);

		snprintf(name, sizeof(name), "%s %s%s", e->sqlstate, e->message,
				 e->streaming ? ", in a stream" : "");
		if (!ok(got == e->reaction && (e->hint_part == NULL ||
									   (hint != NULL &&
										strstr(hint, e->hint_part) != NULL)),
				name))
			printf("# reaction %d, hint %s\n", got, hint);
	}
}

static void
test_command(void)
{
	struct config_property plugin[] = {
		{.name = "truncate", .value = "emit"},
	};
	struct config config = {
		.state = "none",
		.slot = "s",
		.publication = "a, \"B c\"",
		.topic_prefix = "it's",
		.plugin = plugin,
		.plugin_count = 1,
	};
	char	   *command = replcommand_start(&config, 1000,
											UINT64_C(0x16B374D848),
											"public.t topic=x", 3, false);

	is_text(command,
			"START_REPLICATION SLOT \"s\" LOGICAL 16/B374D848 ("
			"\"proto_version\" '1', \"publication_names\" '\"a\",\"B c\"', "
			"\"topic_prefix\" 'it''s', \"routes\" 'public.t topic=x', "
			"\"truncate\" 'emit', \"max_record\" '1000', "
			"\"timeline\" '3')",
			"every option is there, quoted");
	free(command);

	plugin[0] = (struct config_property) {.name = "max_record", .value = "7"};
	config.publication = config.topic_prefix = "";
	command = replcommand_start(&config, 1000, LSN_INVALID, "", 0, false);
	is_text(command, "START_REPLICATION SLOT \"s\" LOGICAL 0/0 ("
			"\"proto_version\" '1', \"max_record\" '7')",
			"what is not set is not sent, and the config's limit wins");
	free(command);

	plugin[0] = (struct config_property) {.name = "flush", .value = "batch"};
	command = replcommand_start(&config, 0, LSN_INVALID, "", 0, true);
	is_text(command, "START_REPLICATION SLOT \"s\" LOGICAL 0/0 ("
			"\"proto_version\" '1', \"flush\" 'commit')",
			"carefully: nothing is held, whatever the config says");
	free(command);
}

int
main(void)
{
	test_reactions();
	test_command();
	return tap_done();
}
