/*
 * session.c
 *		Settings on which the text of a value depends.
 *
 * A record must be the same whoever reads the slot, so nothing that a role,
 * a database or a client can set may reach a type's output function.
 */
#include "postgres.h"

#include "utils/guc.h"

#include "session.h"

static const struct
{
	const char *name;
	const char *value;
}			pinned_settings[] = {
	{"DateStyle", "ISO, YMD"},
	{"IntervalStyle", "postgres"},
	{"TimeZone", "UTC"},
	{"bytea_output", "hex"},
	{"extra_float_digits", "1"},
	{"lc_monetary", "C"},
	{"quote_all_identifiers", "off"},
	/* a temporary table of the reader must not stand before the catalog */
	{"search_path", "pg_catalog, pg_temp"},
};

static void
pin(GucAction action)
{
	for (int i = 0; i < lengthof(pinned_settings); i++)
		(void) set_config_option(pinned_settings[i].name,
								 pinned_settings[i].value,
								 PGC_USERSET, PGC_S_SESSION, action,
								 true, ERROR, false);
}

void
wal2kafka_session_pin(void)
{
	pin(GUC_ACTION_SET);
}

int
wal2kafka_session_pin_scoped(void)
{
	int			level = NewGUCNestLevel();

	pin(GUC_ACTION_SAVE);
	return level;
}

void
wal2kafka_session_restore(int level)
{
	AtEOXact_GUC(true, level);
}
