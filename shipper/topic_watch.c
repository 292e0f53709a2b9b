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

#define STUCK_MS		10000
#define TELL_AGAIN_MS	60000
#define TOLD_MAX		3		/* one by one; the others are counted */

static bool is_stuck(const struct topic_partition *partition, int64_t now);
static bool has_stuck(const struct topics *topics, int64_t now);
static const struct rd_kafka_metadata_partition *find(const struct rd_kafka_metadata *metadata,
													  const char *topic,
													  int32_t number);
static void tell(const struct topic *topic, int32_t number,
				 const struct rd_kafka_metadata_partition *found);

void
topic_watch(struct topics *topics)
{
	if (topics->watching || !has_stuck(topics, clock_ms()))
		return;
	topics->watching = true;
	lookups_ask(topics->lookups, NULL, false);
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
			if (!is_stuck(&topic->partitions[i], now))
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
	return partition->outstanding > 0 && now - partition->used >= STUCK_MS &&
		(partition->told == 0 || now - partition->told >= TELL_AGAIN_MS);
}

static bool
has_stuck(const struct topics *topics, int64_t now)
{
	for (const struct topic *topic = topics->list; topic != NULL;
		 topic = topic->next)
		for (int32_t i = 0; i < topic->count; i++)
			if (is_stuck(&topic->partitions[i], now))
				return true;
	return false;
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
