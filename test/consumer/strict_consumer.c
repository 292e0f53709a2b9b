/*
 * strict_consumer.c
 *		Keeps a copy of tables from their topics: an example of how to
 *		consume (doc/consumer.md), and the judge of the tests.
 *
 * It looks at nothing but the five fields of the contract and ends with an
 * error at the first record that is not exactly that.  The position of each
 * partition is stored in the same transaction as the effect of its records;
 * a record whose (lsn, seq_id) is not greater than the position is a repeat
 * and dropped.
 */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "contract.h"
#include "topic_reader.h"

#define RECORDS_PER_TRANSACTION 2000

struct partition
{
	char	   *topic;
	int32_t		id;
	struct position position;
	bool		moved;			/* since the last commit */
};

struct options
{
	const char *database;
	const char *name;
	bool		plain_insert;
};

struct consumer
{
	struct apply *apply;
	struct partition *partitions;
	size_t		partition_count;
	size_t		pending;		/* records since the last commit */
	uint64_t	applied;
	uint64_t	dropped;
	bool		failed;			/* to load a position */
};

static volatile sig_atomic_t stop_asked;

static void ask_to_stop(int signo);
static bool parse_options(int argc, char **argv, struct topic_reader *reader,
						  struct options *options);
static int64_t start_at(const char *topic, int32_t id, void *arg);
static bool take_record(const rd_kafka_message_t *msg, void *arg);
static bool take_change(struct consumer *consumer, struct partition *partition,
						const struct change *change);
static bool commit(void *arg);
static struct partition *find_partition(struct consumer *consumer,
										const char *topic, int32_t id);

int
main(int argc, char **argv)
{
	struct consumer consumer = {0};
	struct topic_reader reader = {
		.start = start_at,
		.record = take_record,
		.pause = commit,
		.stop = &stop_asked,
		.arg = &consumer,
	};
	struct options options = {.name = "copy"};
	bool		ok;

	if (!parse_options(argc, argv, &reader, &options))
	{
		fprintf(stderr, "usage: strict_consumer --brokers LIST "
				"--database CONNINFO [--name NAME] [--plain-insert] "
				"[--until-end] TOPIC...\n");
		return 1;
	}
	signal(SIGTERM, ask_to_stop);
	signal(SIGINT, ask_to_stop);

	consumer.apply = apply_open(options.database, options.name,
								options.plain_insert);
	if (consumer.apply == NULL)
		return 2;
	ok = topic_reader_run(&reader) && !consumer.failed && commit(&consumer);
	printf("applied %" PRIu64 ", dropped %" PRIu64 ", found no row %" PRIu64
		   "\n", consumer.applied, consumer.dropped,
		   apply_missed(consumer.apply));

	apply_close(consumer.apply);
	for (size_t i = 0; i < consumer.partition_count; i++)
		free(consumer.partitions[i].topic);
	free(consumer.partitions);
	return ok ? 0 : 2;
}

static void
ask_to_stop(int signo)
{
	stop_asked = 1;
}

static bool
parse_options(int argc, char **argv, struct topic_reader *reader,
			  struct options *options)
{
	static const struct option known[] = {
		{"brokers", required_argument, NULL, 'b'},
		{"database", required_argument, NULL, 'd'},
		{"name", required_argument, NULL, 'n'},
		{"plain-insert", no_argument, NULL, 'p'},
		{"until-end", no_argument, NULL, 'e'},
		{0},
	};
	int			option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
		switch (option)
		{
			case 'b':
				reader->brokers = optarg;
				break;
			case 'd':
				options->database = optarg;
				break;
			case 'n':
				options->name = optarg;
				break;
			case 'p':
				options->plain_insert = true;
				break;
			case 'e':
				reader->until_end = true;
				break;
			default:
				return false;
		}
	reader->topics = argv + optind;
	reader->topic_count = argc - optind;
	return reader->brokers && options->database && reader->topic_count > 0;
}

static int64_t
start_at(const char *topic, int32_t id, void *arg)
{
	struct consumer *consumer = arg;
	struct partition *partition;

	consumer->partitions = realloc(consumer->partitions,
								   (consumer->partition_count + 1) *
								   sizeof(*consumer->partitions));
	partition = &consumer->partitions[consumer->partition_count++];
	*partition = (struct partition) {.topic = strdup(topic), .id = id};
	if (!apply_load_position(consumer->apply, topic, id, &partition->position))
		consumer->failed = true;
	return partition->position.known ? partition->position.next_offset :
		RD_KAFKA_OFFSET_BEGINNING;
}

static bool
take_record(const rd_kafka_message_t *msg, void *arg)
{
	struct consumer *consumer = arg;
	struct partition *partition = find_partition(consumer,
												 rd_kafka_topic_name(msg->rkt),
												 msg->partition);
	struct change change;
	char		why[256];
	bool		ok;

	if (consumer->failed)
		return false;
	if (!change_parse(&change, msg->payload, msg->len, why, sizeof(why)))
	{
		fprintf(stderr, "%s [%d] offset %" PRId64 ": %s\n", partition->topic,
				partition->id, msg->offset, why);
		return false;
	}
	ok = take_change(consumer, partition, &change);
	if (!ok)
		fprintf(stderr, "could not apply %s [%d] offset %" PRId64 "\n",
				partition->topic, partition->id, msg->offset);
	change_free(&change);
	partition->position.next_offset = msg->offset + 1;
	partition->moved = true;
	if (ok && ++consumer->pending >= RECORDS_PER_TRANSACTION)
		return commit(consumer);
	return ok;
}

static bool
take_change(struct consumer *consumer, struct partition *partition,
			const struct change *change)
{
	struct position *last = &partition->position;

	if (last->known &&
		(change->lsn < last->lsn ||
		 (change->lsn == last->lsn && change->seq_id <= last->seq_id)))
	{
		consumer->dropped++;
		return true;
	}
	last->known = true;
	last->lsn = change->lsn;
	last->seq_id = change->seq_id;
	consumer->applied++;
	return apply_change(consumer->apply, change);
}

/* The effect of the records and the positions, or neither. */
static bool
commit(void *arg)
{
	struct consumer *consumer = arg;

	if (consumer->pending == 0)
		return true;
	for (size_t i = 0; i < consumer->partition_count; i++)
	{
		struct partition *partition = &consumer->partitions[i];

		if (partition->moved &&
			!apply_save_position(consumer->apply, partition->topic,
								 partition->id, &partition->position))
			return false;
		partition->moved = false;
	}
	consumer->pending = 0;
	return apply_commit(consumer->apply);
}

static struct partition *
find_partition(struct consumer *consumer, const char *topic, int32_t id)
{
	for (size_t i = 0; i < consumer->partition_count; i++)
		if (consumer->partitions[i].id == id &&
			strcmp(consumer->partitions[i].topic, topic) == 0)
			return &consumer->partitions[i];
	abort();					/* only assigned partitions are read */
}
