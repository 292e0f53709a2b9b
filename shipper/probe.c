/*
 * probe.c
 *		Whether Kafka answers.
 */
#include "probe.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "mem.h"
#include "ready.h"
#include "rlimits.h"

#define ASK_MS			1500	/* for an answer */
#define REST_MS			1000	/* after an answer */
#define HURRY_MS		250		/* after none */
#define SILENCE_MS		5000	/* ends what an answer proves: by then two were
								 * asked in vain, perhaps of two brokers */

struct probe
{
	rd_kafka_t *kafka;			/* borrowed */
	int			wake;
	pthread_t	thread;

	/* atomic: the loop writes, the thread reads, or both write */
	rd_kafka_topic_t *topic;	/* borrowed; NULL: none yet */
	int64_t		answered_at;	/* ms; 0: never */

	pthread_mutex_t lock;		/* of what follows */
	pthread_cond_t todo;
	bool		hurry;
	bool		stop;
};

static void *ask_on(void *arg);
static bool ask(struct probe *probe);
static bool answers(const struct probe *probe);
static bool rest(struct probe *probe, int ms);

struct probe *
probe_open(rd_kafka_t *kafka, int wake)
{
	struct probe *probe = mem_zalloc(sizeof(*probe));
	pthread_condattr_t attributes;

	ready_set(READY_KAFKA, true);
	probe->kafka = kafka;
	probe->wake = wake;
	pthread_mutex_init(&probe->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&probe->todo, &attributes);
	pthread_condattr_destroy(&attributes);
	rlimits_thread(&probe->thread, ask_on, probe);
	return probe;
}

void
probe_topic(struct probe *probe, rd_kafka_topic_t *topic)
{
	if (__atomic_load_n(&probe->topic, __ATOMIC_RELAXED) == NULL)
		__atomic_store_n(&probe->topic, topic, __ATOMIC_RELEASE);
}

void
probe_answered(struct probe *probe, int64_t now)
{
	__atomic_store_n(&probe->answered_at, now, __ATOMIC_RELAXED);
	ready_set(READY_KAFKA, false);
}

void
probe_hurry(struct probe *probe)
{
	__atomic_store_n(&probe->answered_at, 0, __ATOMIC_RELAXED);
	ready_set(READY_KAFKA, true);
	pthread_mutex_lock(&probe->lock);
	probe->hurry = true;
	pthread_cond_signal(&probe->todo);
	pthread_mutex_unlock(&probe->lock);
}

void
probe_collect(struct probe *probe)
{
	ready_set(READY_KAFKA, !answers(probe));
}

void
probe_close(struct probe *probe)
{
	if (probe == NULL)
		return;
	pthread_mutex_lock(&probe->lock);
	probe->stop = true;
	pthread_cond_signal(&probe->todo);
	pthread_mutex_unlock(&probe->lock);
	pthread_join(probe->thread, NULL);
	pthread_mutex_destroy(&probe->lock);
	pthread_cond_destroy(&probe->todo);
	free(probe);
}

static void *
ask_on(void *arg)
{
	struct probe *probe = arg;
	bool		before;
	bool		answered;

	do
	{
		before = answers(probe);
		answered = ask(probe);
		if (answers(probe) != before && write(probe->wake, "p", 1) < 0)
			continue;			/* full: the loop is awake anyway */
	} while (rest(probe, answered ? REST_MS : HURRY_MS));
	return NULL;
}

/* Whether Kafka answered now or lately. */
static bool
ask(struct probe *probe)
{
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_topic_t *topic = __atomic_load_n(&probe->topic, __ATOMIC_ACQUIRE);
	bool		answered;

	if (clock_ms() - __atomic_load_n(&probe->answered_at, __ATOMIC_RELAXED) <
		REST_MS)
		return true;
	answered = rd_kafka_metadata(probe->kafka, 0, topic, &metadata,
								 ASK_MS) == RD_KAFKA_RESP_ERR_NO_ERROR;
	if (answered)
		__atomic_store_n(&probe->answered_at, clock_ms(), __ATOMIC_RELAXED);
	if (metadata != NULL)
		rd_kafka_metadata_destroy(metadata);
	return answered;
}

static bool
answers(const struct probe *probe)
{
	int64_t		at = __atomic_load_n(&probe->answered_at, __ATOMIC_RELAXED);

	return at > 0 && clock_ms() - at < SILENCE_MS;
}

/* Until the next question, or until there is a hurry; false: no more. */
static bool
rest(struct probe *probe, int ms)
{
	struct timespec end;
	bool		stop;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_nsec += ms % 1000 * 1000000L;
	end.tv_sec += ms / 1000 + end.tv_nsec / 1000000000L;
	end.tv_nsec %= 1000000000L;

	pthread_mutex_lock(&probe->lock);
	while (!probe->stop && !probe->hurry &&
		   pthread_cond_timedwait(&probe->todo, &probe->lock, &end) == 0)
		continue;
	probe->hurry = false;
	stop = probe->stop;
	pthread_mutex_unlock(&probe->lock);
	return !stop;
}
