/*
 * store.h
 *		Where the state record is kept: a topic beside the records
 *		(store_topic.c), a file beside the files (store_file.c), or nowhere.
 */
#ifndef STORE_H
#define STORE_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "config.h"
#include "state.h"

#define STORE_VALUE_MAX		(900 * 1024)	/* bytes; a record has 300, and 100
										 * a table while a snapshot is taken */

struct store;

enum store_answer
{
	STORE_FOUND,
	STORE_NONE,					/* no record */
	STORE_FORGOTTEN,			/* likewise, and that was asked for */
	STORE_LATER,				/* could not look, logged: try again */
	STORE_PERSON,				/* likewise, and no retry mends it */
};

enum store_progress
{
	STORE_IDLE,
	STORE_WRITING,
	STORE_WRITTEN,				/* told once */
	STORE_FAILED,				/* told once; store_error() */
};

/*
 * NULL if the config wants none, or, logged, when it could not be set up and
 * *failed is set.  "stop" ends waiting, and is borrowed; NULL: nothing does.
 */
extern struct store *store_open(const struct config *config,
								const volatile sig_atomic_t *stop,
								bool *failed);

/* For messages: topic "NAME", file "PATH". */
extern const char *store_where(const struct store *store);

/*
 * Reads the slot's record; "make": after making what is missing to keep one
 * in, and with NULL for the record only that.  Waits for seconds, not past the
 * stop flag.
 */
extern enum store_answer store_read(struct store *store, struct state *state,
									bool make);

/*
 * Begins to write the slot's record, NULL to forget it; the text is copied.
 * Only when nothing is being written.
 */
extern void store_write(struct store *store, const char *text);

/* How that goes, without waiting. */
extern enum store_progress store_drain(struct store *store);

/* Why it failed, until the next call; whether only a person can mend it. */
extern const char *store_error(const struct store *store, bool *person);

/* Fills in what to poll for while writing. */
extern void store_poll_fd(const struct store *store, struct pollfd *fd);

/* What is being written may be written or not. */
extern void store_close(struct store *store);

/* The topic's name, to be freed; NULL if the config wants none. */
extern char *store_topic_name(const struct config *config);

/* --- for those who keep one ------------------------------------------ */

struct store_ops
{
	enum store_answer (*read) (struct store *store, struct state *state,
								  bool make);
	void		(*write) (struct store *store, const char *text);
	enum store_progress (*drain) (struct store *store);
	void		(*poll_fd) (const struct store *store, struct pollfd *fd);
	void		(*close) (struct store *store);
};

/* Each begins with this. */
struct store
{
	const struct store_ops *ops;
	const struct config *config;	/* borrowed */
	const volatile sig_atomic_t *stop;	/* borrowed */
	char	   *where;			/* owned */
	char		error[256];
	bool		person;
};

extern struct store *store_topic_open(const struct config *config);
extern struct store *store_file_open(const struct config *config);

#endif							/* STORE_H */
