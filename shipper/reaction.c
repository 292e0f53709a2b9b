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

#define STANDBY_HINT	"This is a standby: name the primary, or several " \
	"hosts with target_session_attrs=read-write."
#define LOST_HINT		"The slot has lost WAL that it needs: changes are " \
	"gone from it.  Drop it, run \"wal2kafka init\", and bring the tables " \
	"over again."
#define SIZE_HINT		"One row, or what changed beside it, is larger than " \
	"the server can handle; the context names it."
#define PASSING_HINT	"Seen to pass by itself; if it stays, the server's " \
	"log says more."

/* Only where it ends a stream: there it means something else. */
static const struct row stream_rows[] = {
	/* the server has no such errors of its own there: a function has */
	{"08", NULL, REACTION_REPEAT, NULL},
	/* raised while the log is read, not of the slot */
	{"55000", "replication slot", REACTION_PERSON, LOST_HINT},
	{"55000", NULL, REACTION_REPEAT, NULL},
	{"42501", NULL, REACTION_REPEAT, NULL},
	/* who streams has the slot */
	{"55006", NULL, REACTION_REPEAT, NULL},
};

static const struct row rows[] = {
	/* --- the server is going, gone, or coming --- */
	{"57P01", NULL, REACTION_WAIT, NULL},
	{"57P02", NULL, REACTION_WAIT, NULL},
	{"57P03", NULL, REACTION_RETRY, NULL},
	{"57P04", NULL, REACTION_PERSON, "The database was dropped."},
	{"08", NULL, REACTION_RETRY, NULL},

	/* --- the slot --- */
	{"55006", NULL, REACTION_STANDBY,
		"Another program reads this slot; this one takes over when it "
		"leaves."},
	{"55000", "on standby requires", REACTION_RETRY, STANDBY_HINT},
	{"55000", "wal_level", REACTION_PERSON,
		"Set wal_level = logical and restart the server."},
	{"55000", "in recovery", REACTION_RETRY, STANDBY_HINT},
	{"55000", "was not created in this database", REACTION_PERSON,
		"Name the database of the slot in conninfo."},
	{"55000", "synchronized_standby_slots", REACTION_RETRY,
		"A standby named there runs behind, or is gone."},
	{"55000", NULL, REACTION_PERSON, LOST_HINT},
	/* may show once and vanish */
	{"58P01", "has already been removed", REACTION_REPEAT, LOST_HINT},
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

	/* --- timelines --- */
	{"58P01", ".history", REACTION_REPEAT,
		"It says where the timeline began, which must be known: put it back "
		"into pg_wal, from the archive or another server of that timeline."},

	/* --- access --- */
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
	{"25006", NULL, REACTION_RETRY, STANDBY_HINT},

	/* --- what the server lacks --- */
	{"53100", NULL, REACTION_RETRY, "The server's disk is full."},
	{"53300", NULL, REACTION_RETRY,
		"Raise max_connections or max_wal_senders, or the role's CONNECTION "
		"LIMIT."},
	{"53", NULL, REACTION_RETRY, "The server is short of a resource."},

	/* --- one change, or what the server makes of it --- */
	{"54000", "out of memory", REACTION_REPEAT, SIZE_HINT},
	{"54000", "string buffer", REACTION_REPEAT, SIZE_HINT},
	{"54000", NULL, REACTION_PERSON, NULL},
	{"XX000", "invalid memory alloc request size", REACTION_REPEAT, SIZE_HINT},
	{"XX000", "could not find record", REACTION_TRANSIENT, PASSING_HINT},
	{"XX000", "spill file", REACTION_TRANSIENT, PASSING_HINT},
	{"XX000", ".spill", REACTION_TRANSIENT, PASSING_HINT},
	{"58P01", ".spill", REACTION_TRANSIENT, PASSING_HINT},
	{"XX000", "pg_logical/snapshots", REACTION_TRANSIENT, PASSING_HINT},
	{"58P01", "pg_logical/snapshots", REACTION_TRANSIENT, PASSING_HINT},
	{"XX000", "unrecognized SI message ID", REACTION_TRANSIENT, PASSING_HINT},
	{"XX000", "pfree called with invalid pointer", REACTION_TRANSIENT,
		PASSING_HINT},
	{"XX000", "GenerationFree", REACTION_TRANSIENT, PASSING_HINT},

	/* --- what the plugin itself refuses: options, a record --- */
	{"22023", NULL, REACTION_PERSON, NULL},
	{"0A000", NULL, REACTION_PERSON, NULL},
	{"42601", NULL, REACTION_PERSON, NULL},
	{"42602", NULL, REACTION_PERSON, NULL},
	{"42P17", NULL, REACTION_PERSON, NULL},
	{"38000", NULL, REACTION_PERSON, NULL},
};

static const struct row *find(const struct row *table, size_t count,
							  const char *sqlstate, const char *message);

enum reaction
reaction_find(const char *sqlstate, const char *message, bool streaming,
			  const char **hint)
{
	const struct row *row = NULL;

	if (streaming)
		row = find(stream_rows, sizeof(stream_rows) / sizeof(stream_rows[0]),
				   sqlstate, message);
	if (row == NULL)
		row = find(rows, sizeof(rows) / sizeof(rows[0]), sqlstate, message);
	*hint = row != NULL ? row->hint : NULL;
	if (row != NULL)
		return row->reaction;
	return sqlstate[0] == '\0' ? REACTION_RETRY : REACTION_REPEAT;
}

static const struct row *
find(const struct row *table, size_t count, const char *sqlstate,
	 const char *message)
{
	for (size_t i = 0; i < count; i++)
		if (strncmp(sqlstate, table[i].sqlstate,
					strlen(table[i].sqlstate)) == 0 &&
			(table[i].fragment == NULL ||
			 strstr(message, table[i].fragment) != NULL))
			return &table[i];
	return NULL;
}
