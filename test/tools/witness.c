/*
 * witness.c
 *		Runs beside a shipper and notes how far the slot is confirmed, and
 *		where the topics' partitions end right after: whatever lies below the
 *		first must lie before the second.  The checker holds the two against
 *		the records (test/checker/samples.h).
 *
 *		witness --brokers LIST --conninfo INFO --slot NAME TOPIC... >FILE
 *
 * One small query every 20 ms; Kafka is asked only when the slot has moved.  A
 * server or broker that is away is waited for; ends that come late only make
 * the sample weaker.  An end that goes down comes from a broker that does not
 * know yet that it leads no more: the highest that was seen counts.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libpq-fe.h>

#include "topic_reader.h"

#define INTERVAL_MS		20
#define KAFKA_MS		5000
#define MAX_PARTITIONS	1024

struct witness
{
	const char *brokers;
	const char *conninfo;
	const char *slot;
	char	  **topics;
	int			topic_count;
	PGconn	   *conn;
	rd_kafka_t *kafka;
	int64_t		ends[MAX_PARTITIONS];	/* highest seen; a share a topic */
};

static void
nap(void)
{
	const struct timespec time = {.tv_nsec = INTERVAL_MS * 1000000L};

	nanosleep(&time, NULL);
}

/* Into "lsn" as a number; false: the server or the slot is away. */
static bool
read_slot(struct witness *w, char *lsn, size_t size)
{
	static const char query[] =
		"SELECT confirmed_flush_lsn - '0/0' FROM pg_replication_slots "
		"WHERE slot_name = $1 AND confirmed_flush_lsn IS NOT NULL";
	PGresult   *result = PQexecParams(w->conn, query, 1, NULL, &w->slot, NULL,
									  NULL, 0);
	bool		ok = PQntuples(result) == 1;

	if (ok)
		snprintf(lsn, size, "%s", PQgetvalue(result, 0, 0));
	PQclear(result);
	if (PQstatus(w->conn) != CONNECTION_OK)
	{
		PQfinish(w->conn);
		w->conn = PQconnectdb(w->conninfo);
	}
	return ok;
}

static rd_kafka_topic_partition_list_t *
list_partitions(struct witness *w)
{
	rd_kafka_topic_partition_list_t *list =
		rd_kafka_topic_partition_list_new(16);

	for (int i = 0; i < w->topic_count; i++)
	{
		int			count = topic_partition_count(w->kafka, w->topics[i]);

		for (int32_t id = 0; id < count; id++)
			rd_kafka_topic_partition_list_add(list, w->topics[i], id)->offset =
				RD_KAFKA_OFFSET_END;
	}
	return list;
}

static void
print_end(struct witness *w, const rd_kafka_topic_partition_t *partition)
{
	const int	share = MAX_PARTITIONS / w->topic_count;
	int			topic = 0;
	int64_t    *end;

	while (strcmp(w->topics[topic], partition->topic) != 0)
		topic++;
	if (partition->partition >= share)
		return;
	end = &w->ends[topic * share + partition->partition];
	if (partition->offset > *end)
		*end = partition->offset;
	printf("\t%s\t%d\t%lld", partition->topic, (int) partition->partition,
		   (long long) *end);
}

/* False: Kafka did not answer. */
static bool
note_ends(struct witness *w, const char *lsn)
{
	rd_kafka_topic_partition_list_t *list = list_partitions(w);
	bool		ok = list->cnt > 0 &&
		rd_kafka_offsets_for_times(w->kafka, list, KAFKA_MS) == 0;

	if (ok)
	{
		printf("%s", lsn);
		for (int i = 0; i < list->cnt; i++)
			if (list->elems[i].err == 0)
				print_end(w, &list->elems[i]);
		printf("\n");
		fflush(stdout);
	}
	rd_kafka_topic_partition_list_destroy(list);
	return ok;
}

static bool
parse_options(struct witness *w, int argc, char **argv)
{
	static const struct option options[] = {
		{"brokers", required_argument, NULL, 'b'},
		{"conninfo", required_argument, NULL, 'c'},
		{"slot", required_argument, NULL, 's'},
		{0},
	};
	int			option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
	{
		if (option == 'b')
			w->brokers = optarg;
		else if (option == 'c')
			w->conninfo = optarg;
		else if (option == 's')
			w->slot = optarg;
		else
			return false;
	}
	w->topics = argv + optind;
	w->topic_count = argc - optind;
	return w->brokers && w->conninfo && w->slot && w->topic_count > 0;
}

int
main(int argc, char **argv)
{
	static struct witness w;
	char		lsn[64];
	char		noted[64] = "";

	if (!parse_options(&w, argc, argv))
	{
		fprintf(stderr, "usage: witness --brokers LIST --conninfo INFO "
				"--slot NAME TOPIC...\n");
		return 2;
	}
	w.kafka = topic_consumer(w.brokers, "read_uncommitted");
	rd_kafka_set_log_level(w.kafka, 0);
	w.conn = PQconnectdb(w.conninfo);
	for (;; nap())
		if (read_slot(&w, lsn, sizeof(lsn)) && strcmp(lsn, noted) != 0 &&
			note_ends(&w, lsn))
			memcpy(noted, lsn, sizeof(noted));
}
