/*
 * checker.c
 *		Judges what arrived in Kafka: against the promise itself, and against
 *		the source's own log of what it committed.
 *
 * Of the records: the first occurrences of each partition are in the order of
 * (lsn, seq_id); the seq_ids of a transaction, over all topics, are 0 to n-1;
 * a repeated (lsn, seq_id) is the same bytes in the same place.
 *
 * Of the ledger, a file of lines
 *		TABLE <tab> W <tab> VERSION [<tab> XID]		a row version was written
 *		TABLE <tab> D <tab> KEY [<tab> XID]			a row was deleted
 * every line is one record and every record one line, and the lines of one
 * xid have one lsn.  VERSION is the value of the column --version, KEY of
 * --key.  The two halves of a split update are one row version.
 *
 * Prints what is wrong and one line of totals; status 1 if anything is.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "topic_reader.h"

#define MAX_EXAMPLES 10

struct record
{
	uint64_t	lsn;
	uint64_t	seq_id;
	uint64_t	bytes;			/* hash of key, value and place */
	uint64_t	fact;			/* hash of its line in the ledger; 0: none */
	int64_t		offset;
	uint32_t	place;			/* index of its partition */
	bool		in_order;		/* greater than all before in its partition */
	bool		everywhere;		/* belongs to every partition */
};

struct place
{
	char	   *topic;
	int32_t		partition;
	uint64_t	lsn;			/* greatest (lsn, seq_id) so far */
	uint64_t	seq_id;
	bool		used;
};

struct line
{
	uint64_t	fact;
	uint64_t	xid;			/* hash of its text */
	uint64_t	lsn;			/* of the record that was found for it */
	const char *text;
	bool		has_xid;
};

enum fault
{
	FAULT_UNREADABLE,
	FAULT_DISORDER,
	FAULT_DIFFERS,
	FAULT_GAP,
	FAULT_LOST,
	FAULT_PHANTOM,
	FAULT_TORN,
	FAULTS
};

static const char *const fault_names[FAULTS] = {
	"unreadable", "out of order", "differing repeats", "gaps", "lost",
	"phantom", "torn transactions",
};

struct checker
{
	const char *version_column;
	const char *key_column;
	struct record *records;
	size_t		count;
	size_t		room;
	struct place *places;
	uint32_t	place_count;
	struct line *lines;
	size_t		line_count;
	uint64_t	faults[FAULTS];
	uint64_t	repeats;
	uint64_t	transactions;
};

static bool take_record(const rd_kafka_message_t *msg, void *arg);
static bool parse_record(struct checker *c, const char *value, size_t len,
						 struct record *record);
static uint64_t fact_of(const struct checker *c, const json_t *root);
static uint64_t hash_bytes(uint64_t hash, const void *data, size_t len);
static uint64_t hash_text(uint64_t hash, const char *text);
static uint32_t find_place(struct checker *c, const char *topic,
						   int32_t partition);
static void check_records(struct checker *c);
static size_t check_repeats(struct checker *c, size_t first);
static bool load_ledger(struct checker *c, const char *file);
static void check_ledger(struct checker *c);
static void check_transactions(struct checker *c);
static void blame(struct checker *c, enum fault fault,
				  const struct record *record, const char *text);
static int report(const struct checker *c);

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{"brokers", required_argument, NULL, 'b'},
		{"ledger", required_argument, NULL, 'l'},
		{"version", required_argument, NULL, 'v'},
		{"key", required_argument, NULL, 'k'},
		{0},
	};
	struct checker c = {.version_column = "v", .key_column = "id"};
	struct topic_reader reader = {
		.until_end = true,
		.record = take_record,
		.arg = &c,
	};
	const char *ledger = NULL;
	int			option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
	{
		if (option == 'b')
			reader.brokers = optarg;
		else if (option == 'l')
			ledger = optarg;
		else if (option == 'v')
			c.version_column = optarg;
		else if (option == 'k')
			c.key_column = optarg;
		else
			reader.topic_count = -1;
	}
	reader.topics = argv + optind;
	if (reader.brokers == NULL || reader.topic_count < 0 || argc == optind)
	{
		fprintf(stderr, "usage: checker --brokers LIST [--ledger FILE] "
				"[--version COLUMN] [--key COLUMN] TOPIC...\n");
		return 2;
	}
	reader.topic_count = argc - optind;

	if (!topic_reader_run(&reader) || (ledger && !load_ledger(&c, ledger)))
		return 2;
	check_records(&c);
	if (ledger)
	{
		check_ledger(&c);
		check_transactions(&c);
	}
	return report(&c);
}

static bool
take_record(const rd_kafka_message_t *msg, void *arg)
{
	struct checker *c = arg;
	struct record *record;
	struct place *place;
	uint64_t	bytes;

	if (c->count == c->room)
	{
		c->room = 2 * c->room + 1024;
		c->records = realloc(c->records, c->room * sizeof(*c->records));
	}
	record = &c->records[c->count];
	memset(record, 0, sizeof(*record));
	record->offset = msg->offset;
	record->place = find_place(c, rd_kafka_topic_name(msg->rkt),
							   msg->partition);
	if (!parse_record(c, msg->payload, msg->len, record))
	{
		blame(c, FAULT_UNREADABLE, record, NULL);
		return true;
	}

	bytes = hash_bytes(0, &record->place, sizeof(record->place));
	bytes = hash_bytes(bytes, msg->key ? "k" : "n", 1);
	bytes = hash_bytes(bytes, msg->key, msg->key_len);
	bytes = hash_bytes(bytes, "", 1);
	record->bytes = hash_bytes(bytes, msg->payload, msg->len);

	place = &c->places[record->place];
	record->in_order = !place->used || record->lsn > place->lsn ||
		(record->lsn == place->lsn && record->seq_id > place->seq_id);
	if (record->in_order)
	{
		place->used = true;
		place->lsn = record->lsn;
		place->seq_id = record->seq_id;
	}
	c->count++;
	return true;
}

static bool
parse_record(struct checker *c, const char *value, size_t len,
			 struct record *record)
{
	json_t	   *root = value ? json_loadb(value, len, 0, NULL) : NULL;
	const json_t *lsn = json_object_get(root, "lsn");
	const json_t *seq_id = json_object_get(root, "seq_id");
	const json_t *op = json_object_get(root, "op");
	bool		ok = json_is_integer(lsn) && json_is_integer(seq_id) &&
		json_object_size(op) == 1;

	if (ok)
	{
		record->lsn = (uint64_t) json_integer_value(lsn);
		record->seq_id = (uint64_t) json_integer_value(seq_id);
		record->everywhere = json_object_get(op, "Truncate") != NULL;
		record->fact = fact_of(c, root);
	}
	json_decref(root);
	return ok;
}

/* What the record says as a line of the ledger, hashed; 0 if it has none. */
static uint64_t
fact_of(const struct checker *c, const json_t *root)
{
	const json_t *op = json_object_get(root, "op");
	const json_t *names = json_object_get(root, "col_names");
	const json_t *row = json_object_get(op, "Insert");
	bool		deleted = json_object_get(op, "Delete") != NULL;
	const char *column = deleted ? c->key_column : c->version_column;
	const char *value = NULL;
	uint64_t	hash;

	if (deleted && json_is_true(json_object_get(root, "key_change")))
		return 0;
	if (deleted)
		row = json_object_get(op, "Delete");
	else if (row == NULL)
		row = json_array_get(json_object_get(op, "Update"), 1);
	for (size_t i = 0; i < json_array_size(names); i++)
	{
		const char *name = json_string_value(json_array_get(names, i));

		if (name && strcmp(name, column) == 0)
			value = json_string_value(json_array_get(row, i));
	}
	if (value == NULL)
		return 0;
	hash = hash_text(0, json_string_value(json_object_get(root, "table_name")));
	hash = hash_text(hash, deleted ? "D" : "W");
	return hash_text(hash, value) | 1;
}

/* FNV-1a */
static uint64_t
hash_bytes(uint64_t hash, const void *data, size_t len)
{
	const unsigned char *bytes = data;

	if (hash == 0)
		hash = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
	return hash;
}

/* With its end, so that "a", "bc" and "ab", "c" differ. */
static uint64_t
hash_text(uint64_t hash, const char *text)
{
	if (text == NULL)
		text = "";
	return hash_bytes(hash, text, strlen(text) + 1);
}

static uint32_t
find_place(struct checker *c, const char *topic, int32_t partition)
{
	uint32_t	i;

	for (i = 0; i < c->place_count; i++)
		if (c->places[i].partition == partition &&
			strcmp(c->places[i].topic, topic) == 0)
			return i;
	c->places = realloc(c->places, (i + 1) * sizeof(*c->places));
	c->places[i] = (struct place) {
		.topic = strdup(topic),
		.partition = partition,
	};
	c->place_count++;
	return i;
}

static int
compare_ids(const void *a, const void *b)
{
	const struct record *x = a;
	const struct record *y = b;

	if (x->lsn != y->lsn)
		return x->lsn < y->lsn ? -1 : 1;
	if (x->seq_id != y->seq_id)
		return x->seq_id < y->seq_id ? -1 : 1;
	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Leaves one of each in c->records, in the order of (lsn, seq_id). */
static void
check_records(struct checker *c)
{
	size_t		kept = 0;
	uint64_t	expected = 0;

	qsort(c->records, c->count, sizeof(*c->records), compare_ids);
	for (size_t i = 0; i < c->count;)
	{
		struct record *record = &c->records[i];

		if (kept == 0 || c->records[kept - 1].lsn != record->lsn)
		{
			c->transactions++;
			expected = 0;
		}
		if (record->seq_id != expected)
			blame(c, FAULT_GAP, record, NULL);
		expected = record->seq_id + 1;
		i = check_repeats(c, i);
		c->records[kept++] = *record;
	}
	c->count = kept;
}

/* All occurrences of one id, starting at "first"; returns where they end. */
static size_t
check_repeats(struct checker *c, size_t first)
{
	const struct record *one = &c->records[first];
	size_t		i = first;

	for (; i < c->count && c->records[i].lsn == one->lsn &&
		 c->records[i].seq_id == one->seq_id; i++)
	{
		const struct record *record = &c->records[i];
		bool		first_here = i == first ||
			record->place != c->records[i - 1].place;

		if (first_here && !record->in_order)
			blame(c, FAULT_DISORDER, record, NULL);
		if (i > first && record->bytes != one->bytes &&
			!(first_here && one->everywhere))
			blame(c, FAULT_DIFFERS, record, NULL);
		if (i > first && !(first_here && one->everywhere))
			c->repeats++;
	}
	return i;
}

static bool
load_ledger(struct checker *c, const char *file)
{
	FILE	   *in = fopen(file, "r");
	char	   *text = NULL;
	size_t		size = 0;
	size_t		room = 0;

	if (in == NULL)
	{
		perror(file);
		return false;
	}
	while (getline(&text, &size, in) > 0)
	{
		char	   *rest = text;
		char	   *fields[4] = {NULL};
		struct line *line;

		text[strcspn(text, "\n")] = '\0';
		if (c->line_count == room)
		{
			room = 2 * room + 1024;
			c->lines = realloc(c->lines, room * sizeof(*c->lines));
		}
		line = &c->lines[c->line_count++];
		*line = (struct line) {.text = strdup(text)};
		for (int i = 0; i < 4; i++)
			fields[i] = strsep(&rest, "\t");
		line->fact = hash_text(0, fields[0]);
		line->fact = hash_text(line->fact, fields[1]);
		line->fact = hash_text(line->fact, fields[2]) | 1;
		line->has_xid = fields[3] != NULL;
		line->xid = hash_text(0, fields[3]);
	}
	free(text);
	fclose(in);
	return true;
}

static int
compare_facts(const void *a, const void *b)
{
	uint64_t	x = ((const struct record *) a)->fact;
	uint64_t	y = ((const struct record *) b)->fact;

	return x < y ? -1 : x > y;
}

static int
compare_line_facts(const void *a, const void *b)
{
	uint64_t	x = ((const struct line *) a)->fact;
	uint64_t	y = ((const struct line *) b)->fact;

	return x < y ? -1 : x > y;
}

/* Two sorted multisets, compared as in a merge. */
static void
check_ledger(struct checker *c)
{
	size_t		i = 0;
	size_t		j = 0;

	qsort(c->records, c->count, sizeof(*c->records), compare_facts);
	qsort(c->lines, c->line_count, sizeof(*c->lines), compare_line_facts);
	while (i < c->count && c->records[i].fact == 0)
		i++;
	while (i < c->count || j < c->line_count)
	{
		if (j == c->line_count ||
			(i < c->count && c->records[i].fact < c->lines[j].fact))
			blame(c, FAULT_PHANTOM, &c->records[i++], NULL);
		else if (i == c->count || c->records[i].fact > c->lines[j].fact)
			blame(c, FAULT_LOST, NULL, c->lines[j++].text);
		else
			c->lines[j++].lsn = c->records[i++].lsn;
	}
}

static int
compare_xids(const void *a, const void *b)
{
	const struct line *x = a;
	const struct line *y = b;

	return x->xid != y->xid ? (x->xid < y->xid ? -1 : 1) :
		(x->lsn < y->lsn ? -1 : x->lsn > y->lsn);
}

static int
compare_lsns(const void *a, const void *b)
{
	const struct line *x = a;
	const struct line *y = b;

	return x->lsn != y->lsn ? (x->lsn < y->lsn ? -1 : 1) :
		(x->xid < y->xid ? -1 : x->xid > y->xid);
}

/*
 * One xid has one lsn and the other way round.  Equal facts (a key deleted
 * twice) cannot be told apart, so they are left out.
 */
static void
check_transactions(struct checker *c)
{
	size_t		kept = 0;

	for (size_t i = 0; i < c->line_count; i++)
	{
		const struct line *line = &c->lines[i];

		if (line->has_xid && line->lsn != 0 &&
			(i == 0 || line[-1].fact != line->fact) &&
			(i + 1 == c->line_count || line[1].fact != line->fact))
			c->lines[kept++] = *line;
	}
	qsort(c->lines, kept, sizeof(*c->lines), compare_xids);
	for (size_t i = 1; i < kept; i++)
		if (c->lines[i].xid == c->lines[i - 1].xid &&
			c->lines[i].lsn != c->lines[i - 1].lsn)
			blame(c, FAULT_TORN, NULL, c->lines[i].text);
	qsort(c->lines, kept, sizeof(*c->lines), compare_lsns);
	for (size_t i = 1; i < kept; i++)
		if (c->lines[i].lsn == c->lines[i - 1].lsn &&
			c->lines[i].xid != c->lines[i - 1].xid)
			blame(c, FAULT_TORN, NULL, c->lines[i].text);
}

static void
blame(struct checker *c, enum fault fault, const struct record *record,
	  const char *text)
{
	if (++c->faults[fault] > MAX_EXAMPLES)
		return;
	if (record)
	{
		const struct place *place = &c->places[record->place];

		printf("%s: %s [%d] offset %" PRId64 ", lsn %" PRIu64 " seq_id %"
			   PRIu64 "\n", fault_names[fault], place->topic, place->partition,
			   record->offset, record->lsn, record->seq_id);
	}
	else
		printf("%s: %s\n", fault_names[fault], text);
}

static int
report(const struct checker *c)
{
	int			status = 0;

	printf("records %zu, repeats %" PRIu64 ", transactions %" PRIu64
		   ", ledger %zu", c->count, c->repeats, c->transactions,
		   c->line_count);
	for (int i = 0; i < FAULTS; i++)
	{
		printf(", %s %" PRIu64, fault_names[i], c->faults[i]);
		if (c->faults[i])
			status = 1;
	}
	printf("\n");
	return status;
}
