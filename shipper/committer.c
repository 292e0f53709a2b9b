/*
 * committer.c
 *		The thread that makes librdkafka's blocking transaction calls.
 *
 * A transactional id is taken from its holder before the position is read: the
 * other way round, what it committed in between would be sent twice.  A commit
 * whose outcome is not known is never tried again here; what that means is
 * found out by the next producer, which ends or completes it when it begins.
 */
#include "committer.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mem.h"
#include "position.h"
#include "rlimits.h"

#define TRANSACTION_MS	60000	/* librdkafka's default timeout */
#define PREPARE_MS		1000	/* one call; it is resumed until it succeeds */
#define AGAIN_MS	200

#define API_END_TXN		26

/*
 * Requests to end a transaction, of all producers, since the process began:
 * counted by librdkafka's threads.  There is one producer at a time, and one
 * that ends only ever makes the next more careful.
 */
static unsigned ends_sent = 0;

struct committer
{
	const struct config *config;	/* borrowed */
	rd_kafka_t *kafka;			/* borrowed */
	int			wake;

	pthread_t	thread;
	pthread_mutex_t lock;		/* of what follows */
	pthread_cond_t todo;
	bool		asked;
	bool		done;
	bool		stop;
	enum committer_job job;
	struct committer_result result;
};

static rd_kafka_resp_err_t watch_requests(rd_kafka_t *kafka,
										  const rd_kafka_conf_t *conf,
										  void *opaque, char *errstr,
										  size_t errsize);
static rd_kafka_resp_err_t count_request(rd_kafka_t *kafka, int sockfd,
										 const char *broker, int32_t id,
										 int16_t api, int16_t version,
										 int32_t correlation, size_t size,
										 void *opaque);
static void *work(void *arg);
static void prepare(struct committer *committer,
				  struct committer_result *result);
static void commit(struct committer *committer,
				   struct committer_result *result);
static bool take(struct committer_result *result, rd_kafka_error_t *error);
static bool is_stopping(void *arg);

void
committer_configure(rd_kafka_conf_t *conf)
{
	rd_kafka_conf_interceptor_add_on_new(conf, "wal2kafka", watch_requests,
										 NULL);
}

struct committer *
committer_open(const struct config *config, rd_kafka_t *kafka, int wake)
{
	struct committer *committer = mem_zalloc(sizeof(*committer));

	committer->config = config;
	committer->kafka = kafka;
	committer->wake = wake;
	pthread_mutex_init(&committer->lock, NULL);
	pthread_cond_init(&committer->todo, NULL);
	rlimits_thread(&committer->thread, work, committer);
	return committer;
}

void
committer_start(struct committer *committer, enum committer_job job)
{
	pthread_mutex_lock(&committer->lock);
	committer->job = job;
	committer->asked = true;
	committer->done = false;
	pthread_cond_signal(&committer->todo);
	pthread_mutex_unlock(&committer->lock);
}

bool
committer_done(struct committer *committer, struct committer_result *result)
{
	bool		done;

	pthread_mutex_lock(&committer->lock);
	done = committer->done;
	committer->done = false;
	if (done)
		*result = committer->result;
	pthread_mutex_unlock(&committer->lock);
	return done;
}

void
committer_close(struct committer *committer)
{
	pthread_mutex_lock(&committer->lock);
	committer->stop = true;
	pthread_cond_signal(&committer->todo);
	pthread_mutex_unlock(&committer->lock);
	pthread_join(committer->thread, NULL);
	pthread_cond_destroy(&committer->todo);
	pthread_mutex_destroy(&committer->lock);
	free(committer);
}

static rd_kafka_resp_err_t
watch_requests(rd_kafka_t *kafka, const rd_kafka_conf_t *conf, void *opaque,
			   char *errstr, size_t errsize)
{
	(void) conf;
	(void) opaque;
	(void) errstr;
	(void) errsize;
	return rd_kafka_interceptor_add_on_request_sent(kafka, "wal2kafka",
													count_request, NULL);
}

static rd_kafka_resp_err_t
count_request(rd_kafka_t *kafka, int sockfd, const char *broker, int32_t id,
			  int16_t api, int16_t version, int32_t correlation, size_t size,
			  void *opaque)
{
	(void) kafka;
	(void) sockfd;
	(void) broker;
	(void) id;
	(void) version;
	(void) correlation;
	(void) size;
	(void) opaque;
	if (api == API_END_TXN)
		__atomic_add_fetch(&ends_sent, 1, __ATOMIC_RELEASE);
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* The thread. */
static void *
work(void *arg)
{
	struct committer *committer = arg;

	pthread_mutex_lock(&committer->lock);
	while (!committer->stop)
	{
		struct committer_result result = {.job = committer->job};

		if (!committer->asked)
		{
			pthread_cond_wait(&committer->todo, &committer->lock);
			continue;
		}
		committer->asked = false;
		pthread_mutex_unlock(&committer->lock);

		if (result.job == COMMITTER_PREPARE)
			prepare(committer, &result);
		else
			commit(committer, &result);

		pthread_mutex_lock(&committer->lock);
		committer->result = result;
		committer->done = true;
		if (write(committer->wake, "c", 1) < 0)
			continue;			/* full: it will wake up anyway */
	}
	pthread_mutex_unlock(&committer->lock);
	return NULL;
}

/* However long Kafka is away: there is nothing else to do. */
static void
prepare(struct committer *committer, struct committer_result *result)
{
	rd_kafka_error_t *error;

	while ((error = rd_kafka_init_transactions(committer->kafka,
											   PREPARE_MS)) != NULL &&
		   rd_kafka_error_is_retriable(error) && !is_stopping(committer))
	{
		rd_kafka_error_destroy(error);
		poll(NULL, 0, AGAIN_MS);
	}
	if (!take(result, error))
		return;
	result->failed = !position_read(committer->config, &result->state,
									&result->found, is_stopping, committer,
									result->text, sizeof(result->text));
	if (result->failed)
		result->err = RD_KAFKA_RESP_ERR__FAIL;
	else
		take(result, rd_kafka_begin_transaction(committer->kafka));
}

/*
 * Until Kafka itself would have aborted it: a shorter wait would only end in
 * not knowing, and librdkafka alone would ask for ever.
 */
static void
commit(struct committer *committer, struct committer_result *result)
{
	const char *own = config_property(committer->config,
									  "transaction.timeout.ms");
	int			timeout = own != NULL ? (int) strtol(own, NULL, 10) :
		TRANSACTION_MS;
	unsigned	before = __atomic_load_n(&ends_sent, __ATOMIC_ACQUIRE);

	if (take(result, rd_kafka_commit_transaction(committer->kafka, timeout)))
		take(result, rd_kafka_begin_transaction(committer->kafka));
	result->repeated = __atomic_load_n(&ends_sent, __ATOMIC_ACQUIRE) -
		before > 1;
}

/* Takes the error, if there is one; true if there is none. */
static bool
take(struct committer_result *result, rd_kafka_error_t *error)
{
	if (error == NULL)
		return true;
	result->failed = true;
	result->err = rd_kafka_error_code(error);
	snprintf(result->text, sizeof(result->text), "%s",
			 rd_kafka_error_string(error));
	rd_kafka_error_destroy(error);
	return false;
}

static bool
is_stopping(void *arg)
{
	struct committer *committer = arg;
	bool		stop;

	pthread_mutex_lock(&committer->lock);
	stop = committer->stop;
	pthread_mutex_unlock(&committer->lock);
	return stop;
}
