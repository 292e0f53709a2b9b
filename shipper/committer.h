/*
 * committer.h
 *		The thread that makes librdkafka's blocking transaction calls.
 *
 * One job at a time; the loop asks for it, goes on, and is woken when it is
 * done.  The thread touches nothing but the producer's handle.
 */
#ifndef COMMITTER_H
#define COMMITTER_H

#include <stdbool.h>
#include <librdkafka/rdkafka.h>

#include "config.h"
#include "state.h"

struct committer;

enum committer_job
{
	COMMITTER_PREPARE,			/* take the transactional id from whoever has
								 * it, read the position, begin */
	COMMITTER_COMMIT,			/* commit, begin the next */
};

struct committer_result
{
	enum committer_job job;
	bool		failed;
	rd_kafka_resp_err_t err;	/* when failed */
	char		text[256];
	bool		repeated;		/* a request to commit went out twice */
	bool		found;			/* after PREPARE: there is a position */
	struct state state;
};

/* Before the handle is made: lets requests that are repeated be counted. */
extern void committer_configure(rd_kafka_conf_t *conf);

/* wake: a descriptor that gets a byte when a job is done. */
extern struct committer *committer_open(const struct config *config,
										rd_kafka_t *kafka, int wake);

/* Only when no job is under way. */
extern void committer_start(struct committer *committer,
							enum committer_job job);

/* Whether the job has been done since it was last asked. */
extern bool committer_done(struct committer *committer,
						   struct committer_result *result);

/*
 * Ends the thread; waits for its call, which may take as long as
 * transaction.timeout.ms when Kafka is silent.
 */
extern void committer_close(struct committer *committer);

#endif							/* COMMITTER_H */
