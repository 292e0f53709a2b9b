/*
 * checker.c
 *		Judges what arrived in Kafka: against the promise itself, against the
 *		source's own log of what it committed, and against what a witness saw.
 *
 * It reads the topics twice, as a read_uncommitted and as a read_committed
 * consumer, and judges what each of them got; when both got the same, once.
 * Its parser, hashes and partitioner are its own: nothing here is shared with
 * the plugin or the shipper.
 *
 * Prints each finding with its address, "NAME: ADDRESS", then a line of
 * totals for each judgement; status 1 if anything is wrong.
 *
 *	--ledger FILE		the source's log, see source.h
 *	--version COLUMN	names a row version (v)
 *	--key COLUMN		names a row (id)
 *	--witness FILE		what a witness saw, see samples.h
 *	--exactly-once		a read_committed consumer gets each record once
 *	--murmur2			keys lie where Java's partitioner puts them
 *	--growing			partitions were added: keys may move
 *	--keep FILE			goes on from the history in FILE, and keeps it there
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "history.h"
#include "judge.h"
#include "samples.h"
#include "source.h"
#include "topic_reader.h"

struct checker
{
	struct history history;
	struct verdict verdict;
	struct source source;
	enum level	level;			/* at which the topics are being read */
	const char *ledger;
	const char *witness;
	const char *keep;
	bool		once;
	bool		growing;
};

static bool parse_options(struct checker *c, struct topic_reader *reader,
						  int argc, char **argv);
static bool check(struct checker *c, struct topic_reader *reader);
static bool read_topics(struct checker *c, struct topic_reader *reader);
static int64_t start_at(const char *topic, int32_t partition, void *arg);
static void note_ends(const char *topic, int32_t partition, int64_t low,
					  int64_t high, void *arg);
static bool take_record(const rd_kafka_message_t *message, void *arg);
static bool judge_level(struct checker *c, enum level level);
static void print_totals(const struct checker *c, const struct judge *judge,
						 uint64_t samples);

int
main(int argc, char **argv)
{
	struct checker c = {
		.history = {
			.reading = {.version_column = "v", .key_column = "id"},
		},
	};
	struct topic_reader reader = {
		.until_end = true,
		.start = start_at,
		.ends = note_ends,
		.record = take_record,
		.arg = &c,
	};

	c.history.verdict = &c.verdict;
	if (!parse_options(&c, &reader, argc, argv))
	{
		fprintf(stderr, "usage: checker --brokers LIST [--ledger FILE] "
				"[--version COLUMN] [--key COLUMN] [--witness FILE] "
				"[--exactly-once] [--murmur2] [--growing] [--keep FILE] "
				"TOPIC...\n");
		return 2;
	}
	if (!check(&c, &reader))
		return 2;
	source_free(&c.source);
	history_free(&c.history);
	return verdict_is_clean(&c.verdict) ? 0 : 1;
}

static bool
check(struct checker *c, struct topic_reader *reader)
{
	return (c->keep == NULL || history_load(&c->history, c->keep)) &&
		read_topics(c, reader) &&
		(c->keep == NULL || history_save(&c->history, c->keep)) &&
		(c->ledger == NULL || source_load(&c->source, c->ledger)) &&
		judge_level(c, READ_UNCOMMITTED) &&
		((c->history.aborted == 0 && !c->once) ||
		 judge_level(c, READ_COMMITTED));
}

static bool
parse_options(struct checker *c, struct topic_reader *reader, int argc,
			  char **argv)
{
	static const struct option options[] = {
		{"brokers", required_argument, NULL, 'b'},
		{"ledger", required_argument, NULL, 'l'},
		{"version", required_argument, NULL, 'v'},
		{"key", required_argument, NULL, 'k'},
		{"witness", required_argument, NULL, 'w'},
		{"keep", required_argument, NULL, 'K'},
		{"exactly-once", no_argument, NULL, '1'},
		{"murmur2", no_argument, NULL, 'm'},
		{"growing", no_argument, NULL, 'g'},
		{0},
	};
	int			option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
	{
		if (option == 'b')
			reader->brokers = optarg;
		else if (option == 'l')
			c->ledger = optarg;
		else if (option == 'v')
			c->history.reading.version_column = optarg;
		else if (option == 'k')
			c->history.reading.key_column = optarg;
		else if (option == 'w')
			c->witness = optarg;
		else if (option == 'K')
			c->keep = optarg;
		else if (option == '1')
			c->once = true;
		else if (option == 'm')
			c->history.java = true;
		else if (option == 'g')
			c->growing = true;
		else
			return false;
	}
	reader->topics = argv + optind;
	reader->topic_count = argc - optind;
	return reader->brokers != NULL && reader->topic_count > 0;
}

static bool
read_topics(struct checker *c, struct topic_reader *reader)
{
	c->level = READ_UNCOMMITTED;
	reader->isolation = "read_uncommitted";
	if (!topic_reader_run(reader))
		return false;
	c->level = READ_COMMITTED;
	reader->isolation = "read_committed";
	if (!topic_reader_run(reader))
		return false;
	history_settle(&c->history);
	return true;
}

static int64_t
start_at(const char *topic, int32_t partition, void *arg)
{
	const struct checker *c = arg;

	return history_start(&c->history, topic, partition, c->level);
}

static void
note_ends(const char *topic, int32_t partition, int64_t low, int64_t high,
		  void *arg)
{
	struct checker *c = arg;

	history_open(&c->history, topic, partition, c->level, high);
}

static bool
take_record(const rd_kafka_message_t *message, void *arg)
{
	struct checker *c = arg;

	if (c->level == READ_UNCOMMITTED)
		history_take(&c->history, message);
	else
		history_confirm(&c->history, message);
	return true;
}

/* The witness looks at what counts for the slot: what is there for good. */
static bool
judge_level(struct checker *c, enum level level)
{
	bool		last = level == READ_COMMITTED || !c->once;
	uint64_t	samples = 0;
	bool		ok = true;
	struct judge judge = {
		.history = &c->history,
		.verdict = &c->verdict,
		.level = level,
		.once = c->once && level == READ_COMMITTED,
		.growing = c->growing,
	};

	c->verdict.level = level == READ_COMMITTED ? "read_committed" : NULL;
	judge_records(&judge);
	if (c->witness && last)
		ok = samples_judge(&judge, c->witness, &samples);
	if (c->ledger)
		source_compare(&c->source, &judge);
	print_totals(c, &judge, samples);
	judge_free(&judge);
	return ok;
}

static void
print_totals(const struct checker *c, const struct judge *judge,
			 uint64_t samples)
{
	printf("%s: records %zu, repeats %" PRIu64 ", transactions %" PRIu64
		   ", ledger %zu, samples %" PRIu64 ", aborted %" PRIu64
		   ", of snapshots %" PRIu64,
		   judge->level == READ_COMMITTED ? "read_committed" :
		   "read_uncommitted", judge->count, judge->repeats,
		   judge->transactions, c->source.count, samples,
		   judge->level == READ_COMMITTED ? 0 : c->history.aborted,
		   judge->copied);
	verdict_print(judge->verdict);
}
