/*
 * slot.h
 *		What the server says about the replication slot, and what is wrong
 *		with it.
 */
#ifndef SLOT_H
#define SLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "server.h"

#define SLOT_PLUGIN	"wal2kafka"

struct slot
{
	bool		exists;
	bool		logical;
	bool		temporary;
	bool		two_phase;
	bool		active;
	bool		failover;		/* standbys are to have it too */
	bool		synced;			/* a standby's copy of the primary's */
	bool		ahead;			/* confirmed beyond the end of the log */
	bool		standby;		/* the server is one; slot or not */
	int64_t		pid;			/* who reads it, when active */
	char	   *plugin;
	char	   *database;
	char	   *wal_status;		/* "" if unknown */
	char	   *invalid;		/* why it was invalidated; "" if it was not */
	char	   *confirmed;		/* LSNs as the server writes them, or "" */
	char	   *restart;
	char	   *end;			/* of the server's log */
	int64_t		lag;			/* bytes of WAL after confirmed, -1 unknown */
	int64_t		retained;		/* bytes of WAL after restart, -1 unknown */
};

/* Fills it in; false when the query failed, which is logged. */
extern bool slot_read(struct server *server, const char *name,
					  struct slot *slot);

/*
 * NULL if a shipper can stream from it, or what is wrong, to be freed, with
 * the remedy in *remedy, likewise.  That somebody reads it is no fault.
 */
extern char *slot_fault(const struct slot *slot, const char *name,
						struct server *server, char **remedy);
extern void slot_free(struct slot *slot);

/* Why a slot could not be made. */
enum slot_refusal
{
	SLOT_MADE,
	SLOT_NO_REPLICATION,		/* the role lacks the attribute */
	SLOT_NOT_ALLOWED,			/* output_plugin_libraries */
	SLOT_NOT_INSTALLED,			/* no such library, or of another major */
	SLOT_WAL_LEVEL,				/* the WAL lacks what decoding needs */
	SLOT_NO_ROOM,				/* max_replication_slots */
	SLOT_STANDBY,				/* a standby that cannot decode */
	SLOT_TIMEOUT,				/* got as far as waiting for transactions */
	SLOT_OTHER,
};

/*
 * Makes a slot for our plugin; "failover" from 17 on only.  Waits for
 * transactions that run now, up to the session's statement_timeout.
 */
extern enum slot_refusal slot_create(struct server *server, const char *name,
									 bool temporary, bool failover);

/* What an error means that a command to make one ended with. */
extern enum slot_refusal slot_refusal_of(struct server *server,
										 const char *sqlstate);

/* The remedy for a refusal, to be freed; "" if there is none to name. */
extern char *slot_remedy(struct server *server, enum slot_refusal refusal);

/* "12 MB" */
extern char *slot_bytes(int64_t bytes);

#endif							/* SLOT_H */
