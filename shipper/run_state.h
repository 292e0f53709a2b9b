/*
 * run_state.h
 *		What run.c, recovery.c and shutdown.c share, and nobody else.
 */
#ifndef RUN_STATE_H
#define RUN_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "claim.h"
#include "config.h"
#include "control.h"
#include "cursor.h"
#include "feedback.h"
#include "keeper.h"
#include "ledger.h"
#include "monitor.h"
#include "retry.h"
#include "sink.h"
#include "snapshot.h"
#include "stream.h"

struct run
{
	const struct config *config;	/* borrowed */
	struct ledger ledger;
	struct cursor cursor;
	struct claim claim;			/* on the slot */
	struct stream *stream;		/* owned */
	struct monitor *monitor;	/* owned */
	struct control *control;	/* owned */
	struct sink *sink;			/* owned; NULL between two of them */
	bool		abandoning;		/* the sink is letting go */

	struct snapshot *snapshot;	/* owned */
	struct keeper *keeper;		/* owned */
	struct retry retry;
	struct feedback feedback;
	bool		more;			/* has been read, or may be, and not taken */
	uint64_t	last_outstanding;
	int64_t		progress_at;	/* ms; last delivery, or ledger was empty */
	int64_t		statistics_at;

	bool		stopping;
	enum exit_status stop_status;	/* once all is delivered */
	int64_t		stop_deadline;
	bool		done;
	enum exit_status status;	/* when done */
};

/* --- the loop, run.c -------------------------------------------------- */

/* Delivered, and on record: how far the slot may be confirmed. */
extern lsn_t run_on_record(const struct run *run);
extern struct keeper_facts run_facts(const struct run *run);

/* Deliveries; while the cursor holds a frame the ledger counts one more. */
extern uint64_t run_outstanding(const struct run *run);

/* --- what breaks, recovery.c ------------------------------------------ */

/* False: it could not be opened, logged. */
extern bool run_open_sink(struct run *run);

/* Opens what is closed, once its time has come. */
extern void run_mend(struct run *run);

/* Closes it, and lets go of what depends on it. */
extern void run_close_stream(struct run *run);

/* The connection is gone; what the ledger holds is delivered all the same. */
extern void run_lose_stream(struct run *run);

/* Nothing of the ledger can be relied on: all of it is sent again, anew. */
extern void run_restart(struct run *run);

/* --- the end, shutdown.c ---------------------------------------------- */

/* Ends the loop now. */
extern void run_leave(struct run *run, enum exit_status status);

/* Nothing new is read, what is on its way may arrive. */
extern void run_begin_stop(struct run *run, enum exit_status status);

/* Asked to stop, or what comes next needs a person. */
extern void run_stop_gently(struct run *run);

/* Confirms what was delivered and frees all; "run" itself stays. */
extern void run_finish(struct run *run);

#endif							/* RUN_STATE_H */
