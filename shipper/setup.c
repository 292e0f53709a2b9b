/*
 * setup.c
 *		Slot and publication: made and dropped.
 *
 * Everything is said through the log, since "run --init" may have data on
 * standard output.
 */
#include "setup.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "earlier.h"
#include "failover.h"
#include "log.h"
#include "mem.h"
#include "names.h"
#include "publication.h"
#include "server.h"
#include "slot.h"

/* until init says what a new slot waits for */
#define PATIENCE	"3s"

/* Logs what is wrong and what to do about it, and frees both. */
static void
complain(char *what, char *how)
{
	log_error("%s", what);
	log_hint("%s", how);
	free(what);
	free(how);
}

/* --- init ------------------------------------------------------------ */

static enum exit_status
init_publication(struct server *server, const struct config *cfg,
				 const char *name)
{
	char	   *difference = NULL;
	char	   *remedy = NULL;
	bool		exists;

	if (!publication_exists(server, name, &exists))
		return server_status(server);
	if (!exists)
		return publication_create(server, cfg, name);
	if (!publication_compare(server, cfg, name, &difference, &remedy))
		return server_status(server);
	if (difference == NULL)
	{
		log_info("publication \"%s\" is there already", name);
		return EXIT_ASKED;
	}
	log_error("publication \"%s\" is there already, and different: %s",
			  name, difference);
	log_hint("%s", remedy);
	free(difference);
	free(remedy);
	return EXIT_PERSON;
}

static enum exit_status
init_publications(struct server *server, const struct config *cfg)
{
	enum exit_status status = EXIT_ASKED;
	struct names names;

	publication_names(cfg, &names);
	if (names.count > 1 && *cfg->publication_tables != '\0')
	{
		log_error("\"publication_tables\" is set, and \"publication\" names "
				  "more than one");
		log_hint("Create all but one by hand, or unset "
				 "\"publication_tables\".");
		status = EXIT_USAGE;
	}
	for (size_t i = 0; i < names.count && status == EXIT_ASKED; i++)
		status = init_publication(server, cfg, names.name[i]);
	if (names.count == 0)
		log_info("no publication is set: every table of the database is "
				 "captured");
	names_free(&names);
	return status;
}

static enum exit_status
refused(struct server *server, const char *name, enum slot_refusal refusal,
		const char *error)
{
	enum exit_status status = server_status(server);
	char	   *remedy = slot_remedy(server, refusal);

	log_error("could not create replication slot \"%s\": %s", name, error);
	if (*remedy != '\0')
		log_hint("%s", remedy);
	free(remedy);

	/* a missing library is a matter of class 58 that no retry mends */
	return refusal == SLOT_OTHER ? status : EXIT_PERSON;
}

/* Who holds a transaction that is older than the slot would be. */
static void
name_blockers(struct server *server)
{
	static const char sql[] =
	"SELECT l.pid, coalesce(nullif(a.application_name, ''), 'unknown'),"
	" coalesce(date_trunc('second', now() - a.xact_start)::text, 'unknown')"
	" FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid"
	" WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock'"
	" AND l.granted AND l.pid <> pg_backend_pid() ORDER BY 3 DESC LIMIT 5";
	struct rows *rows = server_query(server, sql, 0, NULL);

	for (int i = 0; rows != NULL && i < rows_count(rows); i++)
		log_warning("a new slot waits for the transaction of process %s "
					"(application %s, open for %s)", rows_text(rows, i, 0),
					rows_text(rows, i, 1), rows_text(rows, i, 2));
	rows_free(rows);
}

/* Tries for a while, then names who is in the way and waits. */
static enum slot_refusal
create_patiently(struct server *server, const struct config *cfg)
{
	enum slot_refusal refusal;

	server_timeout(server, PATIENCE);
	refusal = slot_create(server, cfg->slot, false, cfg->failover);
	server_timeout(server, "0");
	if (refusal != SLOT_TIMEOUT)
		return refusal;
	name_blockers(server);
	return slot_create(server, cfg->slot, false, cfg->failover);
}

static enum exit_status
create_slot(struct server *server, const struct config *cfg,
			struct slot_export *made)
{
	const char *name = cfg->slot;
	enum slot_refusal refusal;
	enum exit_status status = EXIT_ASKED;
	char	   *error = NULL;
	struct slot slot;

	refusal = made == NULL ? create_patiently(server, cfg) :
		slot_export_create(server, cfg, name_blockers, made, &error);
	if (refusal != SLOT_MADE)
		status = refused(server, name, refusal, error != NULL ? error :
						 server_error(server));
	else if (!slot_read(server, name, &slot))
		status = server_status(server);
	else
	{
		log_info("replication slot \"%s\" created at %s", name,
				 slot.confirmed ? slot.confirmed : "?");
		slot_free(&slot);
		if (made == NULL)
			log_info("changes from here on are sent; for rows that exist "
					 "already use \"wal2kafka snapshot\"");
	}
	free(error);
	return status;
}

/* A start must not make a slot anew that vanished: see earlier_vanished(). */
static enum exit_status
make_slot(struct server *server, const struct config *cfg, bool start,
		  struct slot_export *made)
{
	enum exit_status status = start ? earlier_vanished(cfg) : EXIT_ASKED;

	if (status == EXIT_ASKED)
		status = create_slot(server, cfg, made);
	if (status == EXIT_ASKED && !start)
		earlier_forget(cfg);
	return status;
}

static enum exit_status
init_slot(struct server *server, const struct config *cfg, bool start,
		  struct slot_export *made)
{
	struct slot slot;
	char	   *remedy = NULL;
	char	   *fault = NULL;
	bool		exists;

	if (!slot_read(server, cfg->slot, &slot))
		return server_status(server);
	exists = slot.exists;
	if (exists)
		fault = slot_fault(&slot, cfg->slot, server, &remedy);
	if (fault == NULL)
		fault = failover_difference(cfg, server, &slot, &remedy);
	slot_free(&slot);
	if (fault != NULL)
	{
		complain(fault, remedy);
		return EXIT_PERSON;
	}
	if (!exists)
		return make_slot(server, cfg, start, made);
	log_info("replication slot \"%s\" is there already", cfg->slot);
	return EXIT_ASKED;
}

enum exit_status
setup_init(const struct config *cfg, bool start, struct slot_export *made)
{
	enum exit_status status;
	struct server *server = server_open(cfg, &status);

	if (server == NULL)
		return status;
	if ((status = init_publications(server, cfg)) == EXIT_ASKED)
		status = init_slot(server, cfg, start, made);
	server_close(server);
	return status;
}

/* --- drop ------------------------------------------------------------ */

/* Whether it is ours and nobody reads it; logs why not. */
static bool
may_drop(struct server *server, const char *name, const struct slot *slot)
{
	if (!slot->logical || strcmp(slot->plugin, SLOT_PLUGIN) != 0 ||
		strcmp(slot->database, server_database(server)) != 0)
	{
		log_error("replication slot \"%s\" is not one of wal2kafka in "
				  "database \"%s\"; it stays", name, server_database(server));
		log_hint("Set the right \"slot\" or dbname in the config.");
		return false;
	}
	if (slot->active)
	{
		log_error("replication slot \"%s\" is read by process %" PRId64
				  " of the server", name, slot->pid);
		log_hint("Stop the \"wal2kafka run\" that reads it; to end the "
				 "server's process: SELECT pg_terminate_backend(%" PRId64 ");",
				 slot->pid);
		return false;
	}
	return true;
}

static enum exit_status
drop_slot(struct server *server, const struct config *cfg, bool yes)
{
	const char *name = cfg->slot;
	struct slot slot;
	struct rows *rows;
	enum exit_status status = EXIT_ASKED;

	if (!slot_read(server, name, &slot))
		return server_status(server);
	if (!slot.exists)
		log_info("replication slot \"%s\" does not exist", name);
	else if (!may_drop(server, name, &slot))
		status = EXIT_PERSON;
	else if (!yes)
	{
		char	   *lag = slot_bytes(slot.lag);

		log_error("replication slot \"%s\" is not dropped without --yes; "
				  "changes in the last %s of WAL are not in Kafka yet", name,
				  lag);
		free(lag);
		status = EXIT_USAGE;
	}
	else
	{
		rows = server_ask(server, "drop the replication slot",
						  "SELECT pg_drop_replication_slot($1)", 1, &name);
		if (rows == NULL)
			status = server_status(server);
		else
		{
			log_info("replication slot \"%s\" dropped", name);
			earlier_forget(cfg);
		}
		rows_free(rows);
	}
	slot_free(&slot);
	return status;
}

static enum exit_status
drop_publications(struct server *server, const struct config *cfg)
{
	enum exit_status status = EXIT_ASKED;
	struct names names;

	publication_names(cfg, &names);
	for (size_t i = 0; i < names.count && status == EXIT_ASKED; i++)
		status = publication_drop(server, names.name[i]);
	names_free(&names);
	return status;
}

enum exit_status
setup_drop(const struct config *cfg, bool yes, bool publication)
{
	enum exit_status status;
	struct server *server = server_open(cfg, &status);

	if (server == NULL)
		return status;
	status = drop_slot(server, cfg, yes);
	if (status == EXIT_ASKED && publication && yes)
		status = drop_publications(server, cfg);
	server_close(server);
	return status;
}
