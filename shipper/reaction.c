/*
 * reaction.c
 *		What to do when the server refuses.
 *
 * The first row that matches wins.  Texts are matched only where one SQLSTATE
 * means several things; a server that speaks another language then gets the
 * row after, which is right if less exact.
 */
#include "reaction.h"

#include <stddef.h>
#include <string.h>

struct row
{
	const char *sqlstate;		/* a class when two characters long */
	const char *fragment;		/* of the message; NULL: any */
	enum reaction reaction;
	const char *hint;			/* NULL: none */
};

static const struct row rows[] = {
	{"57P01", NULL, REACTION_WAIT, NULL},
	{"57P02", NULL, REACTION_WAIT, NULL},
	{"57P03", NULL, REACTION_RETRY, NULL},
	{"57P04", NULL, REACTION_PERSON, "The database was dropped."},
	{"08", NULL, REACTION_RETRY, NULL},

	{"55006", NULL, REACTION_STANDBY,
		"Another program reads this slot; this one takes over when it "
		"leaves."},
	{"55000", "wal_level", REACTION_PERSON,
		"Set wal_level = logical and restart the server."},
	{"55000", "in recovery", REACTION_RETRY,
		"This is a standby: name the primary, or several hosts with "
		"target_session_attrs=read-write."},
	{"55000", "on standby requires", REACTION_RETRY,
		"This is a standby: name the primary, or several hosts with "
		"target_session_attrs=read-write."},
	{"55000", "was not created in this database", REACTION_PERSON,
		"Name the database of the slot in conninfo."},
	{"55000", "synchronized_standby_slots", REACTION_RETRY, NULL},
	{"55000", NULL, REACTION_PERSON,
		"The slot has lost WAL that it needs: changes are gone from it.  Drop "
		"it, run \"wal2kafka init\", and bring the tables over again."},
	{"58P01", "has already been removed", REACTION_PERSON,
		"The slot has lost WAL that it needs: changes are gone from it.  Drop "
		"it, run \"wal2kafka init\", and bring the tables over again."},
	{"58P01", "could not access file", REACTION_PERSON,
		"Install wal2kafka for this major version on the server."},

	{"42704", "publication", REACTION_PERSON,
		"A publication must exist since before the changes that are read: "
		"create it, and if older changes are still in the slot, drop the slot "
		"and run \"wal2kafka init\", or give them up with "
		"missing_publication = skip."},
	{"42704", NULL, REACTION_PERSON,
		"Run \"wal2kafka init\" to create the slot; what was written since it "
		"vanished is not in a new one."},
	{"42501", "output plugin", REACTION_PERSON,
		"As superuser: ALTER ROLE {role} IN DATABASE {database} SET "
		"output_plugin_libraries = wal2kafka;"},
	{"42501", NULL, REACTION_CONFIG,
		"The role needs LOGIN REPLICATION, and the plugin must be allowed: "
		"ALTER ROLE {role} IN DATABASE {database} SET "
		"output_plugin_libraries = wal2kafka;"},
	{"28", NULL, REACTION_CONFIG,
		"Check user, password and pg_hba.conf of the server."},
	{"3D000", NULL, REACTION_CONFIG, "Name an existing database in conninfo."},
	{"25006", NULL, REACTION_RETRY,
		"This is a standby: name the primary, or several hosts with "
		"target_session_attrs=read-write."},

	/* what the plugin itself refuses: options, a table it cannot encode */
	{"22023", NULL, REACTION_PERSON, NULL},
	{"0A000", NULL, REACTION_PERSON, NULL},
	{"42601", NULL, REACTION_PERSON, NULL},
	{"42602", NULL, REACTION_PERSON, NULL},
	{"42P17", NULL, REACTION_PERSON, NULL},
	{"54000", NULL, REACTION_PERSON, NULL},
	{"XX000", "invalid memory alloc request size", REACTION_PERSON,
		"One row makes a record that is too large."},
	{"53", NULL, REACTION_RETRY, "The server is short of a resource."},
};

enum reaction
reaction_find(const char *sqlstate, const char *message, const char **hint)
{
	*hint = NULL;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		const struct row *row = &rows[i];

		if (strncmp(sqlstate, row->sqlstate, strlen(row->sqlstate)) == 0 &&
			(row->fragment == NULL || strstr(message, row->fragment) != NULL))
		{
			*hint = row->hint;
			return row->reaction;
		}
	}
	return sqlstate[0] == '\0' ? REACTION_RETRY : REACTION_REPEAT;
}
