/*
 * load.h
 *		Rows inserted by the clock, each in a transaction of its own.
 */
#ifndef LOAD_H
#define LOAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <libpq-fe.h>

/* Rows are spread over these, so that one commit waits for few others. */
#define LOAD_CONNECTIONS	4

struct load
{
	/* set by the caller, who keeps them */
	const char *conninfo;
	const char *table;
	int64_t		rate;			/* rows a second, > 0 */
	int64_t		rows;			/* number of them */
	int64_t		first_id;		/* of row 0; the others follow */

	int64_t		start;			/* us since the epoch */
	PGconn	   *conns[LOAD_CONNECTIONS];
	int64_t		waiting[LOAD_CONNECTIONS];	/* sent, not answered */
	atomic_bool failed;			/* logged to stderr */
};

/* Wall clock, microseconds since the epoch. */
extern int64_t now_us(void);

/* When a row is due, us since the epoch. */
extern int64_t load_due(const struct load *load, int64_t row);

/* Opens the connections and sets the start; logs why it fails. */
extern bool load_open(struct load *load);

/* The body of a thread: takes a struct load, closes its connections. */
extern void *load_run(void *arg);

#endif							/* LOAD_H */
