/*
 * reaction_test.c
 *		What an SQLSTATE leads to, and the command that starts streaming.
 */
#include <stdlib.h>

#include "reaction.h"
#include "replcommand.h"
#include "tap.h"

static bool
leads_to(const char *sqlstate, const char *message, enum reaction expected,
		 const char *hint_part)
{
	const char *hint;
	enum reaction reaction = reaction_find(sqlstate, message, &hint);

	return reaction == expected &&
		(hint_part == NULL ||
		 (hint != NULL && strstr(hint, hint_part) != NULL));
}

static void
test_reactions(void)
{
	ok(leads_to("", "could not connect", REACTION_RETRY, NULL),
	   "silence is tried again");
	ok(leads_to("57P01", "terminating", REACTION_WAIT, NULL),
	   "a shutdown is waited out");
	ok(leads_to("08006", "", REACTION_RETRY, NULL), "a lost line is retried");
	ok(leads_to("55006", "slot is active for PID 1", REACTION_STANDBY, NULL),
	   "an active slot makes a standby");
	ok(leads_to("42501", "library \"wal2kafka\" may not be used as an output "
				"plugin", REACTION_PERSON, "ALTER ROLE {role} IN DATABASE"),
	   "an unlisted plugin names the command");
	ok(leads_to("42501", "nicht erlaubt", REACTION_CONFIG, "ALTER ROLE"),
	   "in another language too");
	ok(leads_to("42704", "replication slot \"s\" does not exist",
				REACTION_PERSON, "wal2kafka init"), "a slot that is gone");
	ok(leads_to("42704", "publication \"p\" does not exist", REACTION_PERSON,
				"publication"), "a publication that is gone");
	ok(leads_to("55000", "can no longer get changes from replication slot",
				REACTION_PERSON, "lost WAL"), "a slot that lost WAL");
	ok(leads_to("28P01", "password authentication failed", REACTION_CONFIG,
				"password"), "a wrong password");
	ok(leads_to("22023", "invalid value for option", REACTION_PERSON, NULL),
	   "an option that the plugin refuses");
	ok(leads_to("53300", "too many clients", REACTION_RETRY, NULL),
	   "a server that is full");
	ok(leads_to("XX000", "whatever", REACTION_REPEAT, NULL),
	   "the unknown is tried some times");
}

static void
test_command(void)
{
	struct config_property plugin[] = {
		{.name = "truncate", .value = "emit"},
	};
	struct config config = {
		.slot = "s",
		.publication = "a, \"B c\"",
		.topic_prefix = "it's",
		.plugin = plugin,
		.plugin_count = 1,
	};
	char	   *command = replcommand_start(&config, 1000,
											UINT64_C(0x16B374D848),
											"public.t topic=x", false);

	is_text(command,
			"START_REPLICATION SLOT \"s\" LOGICAL 16/B374D848 ("
			"\"proto_version\" '1', \"publication_names\" '\"a\",\"B c\"', "
			"\"topic_prefix\" 'it''s', \"routes\" 'public.t topic=x', "
			"\"truncate\" 'emit', \"max_record\" '1000')",
			"every option is there, quoted");
	free(command);

	plugin[0] = (struct config_property) {.name = "max_record", .value = "7"};
	config.publication = config.topic_prefix = "";
	command = replcommand_start(&config, 1000, LSN_INVALID, "", false);
	is_text(command, "START_REPLICATION SLOT \"s\" LOGICAL 0/0 ("
			"\"proto_version\" '1', \"max_record\" '7')",
			"what is not set is not sent, and the config's limit wins");
	free(command);

	plugin[0] = (struct config_property) {.name = "flush", .value = "batch"};
	command = replcommand_start(&config, 0, LSN_INVALID, "", true);
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
