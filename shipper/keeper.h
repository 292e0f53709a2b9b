/*
 * keeper.h
 *		Keeps the state record up to date, and holds the slot to it.
 *
 * The rule of state.h: the slot is confirmed only up to what the record says.
 * So a record is written before a confirmation moves on: at once when things
 * are quiet, once a second under lasting load, and when the server asks.
 * Writing waits for nothing, and records of tables wait only for the first
 * one, which says that a run has begun with these options.
 */
#ifndef KEEPER_H
#define KEEPER_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "ledger.h"
#include "state.h"
#include "stream.h"

/*
 * With exactly once the record goes into the transaction of the records before
 * it, and nothing is written here: the transaction asks for it, and tells what
 * it found and when it is committed.
 */
struct keeper;
struct snapshot_plan;

enum keeper_answer
{
	KEEPER_GO,
	KEEPER_BUSY,				/* somebody reads the slot now */
	KEEPER_LATER,				/* logged: try again soon */
	KEEPER_LOST,				/* the connection failed, logged */
	KEEPER_PERSON,				/* logged: no retry mends it */
};

/* What there is to say; see state.h for the meaning. */
struct keeper_facts
{
	lsn_t		confirmable;
	struct position delivered;
	struct position sent;
	bool		wanted;			/* the server waits for a confirmation */
};

/*
 * "stop" ends waiting; the plan of the snapshot becomes what a record that is
 * read says of it, and is written with each; all are borrowed.  NULL: it could not be set up, which
 * is logged.
 */
extern struct keeper *keeper_open(const struct config *config,
								  const volatile sig_atomic_t *stop,
								  struct snapshot_plan *plan);

/*
 * Compares the record with the server at the other end of a stream that is
 * open and not started.  Waits for seconds.
 */
extern enum keeper_answer keeper_admit(struct keeper *keeper,
									   struct stream *stream);

/* Another program had the slot: the record is read again. */
extern void keeper_doubt(struct keeper *keeper);

/* Whether a record is kept at all. */
extern bool keeper_keeps(const struct keeper *keeper);

/* How far the record says that the slot stands; LSN_INVALID: there is none. */
extern lsn_t keeper_recorded(const struct keeper *keeper);

/* A first frame tells the plugin's options: KEEPER_GO or KEEPER_PERSON. */
extern enum keeper_answer keeper_fingerprint(struct keeper *keeper,
											 uint64_t fingerprint);

/* Whether records have to wait: a run that has begun must be on record. */
extern bool keeper_holds(const struct keeper *keeper);

/* Writes what is due.  KEEPER_PERSON: the first record could not be. */
extern enum keeper_answer keeper_serve(struct keeper *keeper,
									   const struct keeper_facts *facts);

/* How far of "confirmable" the slot may be confirmed now. */
extern lsn_t keeper_bound(const struct keeper *keeper, lsn_t confirmable);

/*
 * The version of the snapshot's plan that is on record.  False: no record is
 * kept.
 */
extern bool keeper_plan(const struct keeper *keeper, uint64_t *version);

/* For how many ms it has been in the way of a confirmation. */
extern int64_t keeper_delay(const struct keeper *keeper);

/*
 * The last record: nothing more will be sent.  Whether it is written, or not
 * going to be.
 */
extern bool keeper_finish(struct keeper *keeper,
						  const struct keeper_facts *facts);

/*
 * With exactly once: makes the place of the record, if it is missing.  Waits
 * for seconds.
 */
extern enum keeper_answer keeper_prepare(struct keeper *keeper);

/* What was found there; NULL: no record. */
extern void keeper_found(struct keeper *keeper, const struct state *state);

/*
 * Whether a record was found so.  Once the keeper has admitted the server,
 * nothing holds in its log that lies behind keeper_recorded().
 */
extern bool keeper_is_told(const struct keeper *keeper);

/* Whether the next one would tell more of a snapshot, whatever is sent. */
extern bool keeper_has_news(const struct keeper *keeper);

/* The next one, to be freed; and it is committed. */
extern char *keeper_record(struct keeper *keeper, lsn_t confirmable,
						   struct position position);
extern void keeper_committed(struct keeper *keeper);

extern void keeper_poll_fd(const struct keeper *keeper, struct pollfd *fd);

/* ms until keeper_serve() should be called again; -1: when polled */
extern int	keeper_timeout(const struct keeper *keeper);

extern void keeper_close(struct keeper *keeper);

#endif							/* KEEPER_H */
