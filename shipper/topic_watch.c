/*
 * topic_watch.c
 *		Partitions that acknowledge nothing for long.
 *
 * librdkafka retries in silence what it can: a partition without a leader or
 * with too few replicas in sync shows nowhere else, while others go on.
 */
#include "topic_state.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "ready.h"

#define STUCK_MS		10000
#define TELL_AGAIN_MS	60000
#define TOLD_MAX		3		/* one by one; the others are counted */

static bool is_stuck(const struct topic_partition *partition, int64_t now);
static bool is_untold(const struct topic_partition *partition, int64_t now);
static const struct rd_kafka_metadata_partition *
find(const struct rd_kafka_metadata *metadata, const char *topic,
	 int32_t number);
static void tell(const struct topic *topic, int32_t number,
				 const struct rd_kafka_metadata_partition *found);

/* Faults are noticed where they happen; that they are over, here. */
void
topic_watch(struct topics *topics)
{
	bool		stuck = false;
	bool		tell_of = false;
	bool		missing = false;
	int64_t		now = clock_ms();

	for (const struct topic *topic = topics->list; topic != NULL;
		 topic = topic->next)
	{
		missing |= topic->missing > 0;
		for (int32_t i = 0; i < topic->count; i++)
		{
			stuck |= is_stuck(&topic->partitions[i], now);
			tell_of |= is_untold(&topic->partitions[i], now);
		}
	}
	ready_set(READY_PARTITION, stuck);
	if (!missing)
		ready_set(READY_TOPIC, false);
	if (!pin_any_denied())
		ready_set(READY_ACCESS, false);
	if (topics->watching || !tell_of)
		return;
	topics->watching = true;
	lookups_ask_all(topics->lookups, false);
}

void
topic_tell_stuck(struct topics *topics,
				 const struct rd_kafka_metadata *metadata)
{
	int64_t		now = clock_ms();
	unsigned	told = 0;

	for (struct topic *topic = topics->list; topic != NULL;
		 topic = topic->next)
		for (int32_t i = 0; i < topic->count; i++)
		{
			if (!is_untold(&topic->partitions[i], now))
				continue;
			topic->partitions[i].told = now;
			if (++told <= TOLD_MAX)
				tell(topic, i, find(metadata, topic->name, i));
		}
	if (told > TOLD_MAX)
		log_warning("%u more partitions acknowledge nothing",
					told - TOLD_MAX);
}

static bool
is_stuck(const struct topic_partition *partition, int64_t now)
{
	return partition->outstanding > 0 && now - partition->used >= STUCK_MS;
}

static bool
is_untold(const struct topic_partition *partition, int64_t now)
{
	return is_stuck(partition, now) &&
		(partition->told == 0 || now - partition->told >= TELL_AGAIN_MS);
}

static const struct rd_kafka_metadata_partition *
find(const struct rd_kafka_metadata *metadata, const char *topic,
	 int32_t number)
{
	for (int i = 0; i < metadata->topic_cnt; i++)
	{
		const struct rd_kafka_metadata_topic *found = &metadata->topics[i];

		if (strcmp(found->topic, topic) != 0)
			continue;
		for (int p = 0; p < found->partition_cnt; p++)
			if (found->partitions[p].id == number)
				return &found->partitions[p];
	}
	return NULL;
}

static void
tell(const struct topic *topic, int32_t number,
	 const struct rd_kafka_metadata_partition *found)
{
	char		why[128];

	if (found == NULL)
		snprintf(why, sizeof(why), "the brokers do not know it");
	else if (found->leader < 0)
		snprintf(why, sizeof(why), "it has no leader");
	else
		snprintf(why, sizeof(why), "broker %d leads it, %d of %d replicas "
				 "are in sync", found->leader, found->isr_cnt,
				 found->replica_cnt);
	log_warning("topic \"%s\" partition %d acknowledges nothing for %d s: %s",
				topic->name, number, STUCK_MS / 1000, why);
}
