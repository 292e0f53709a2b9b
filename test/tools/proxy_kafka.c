/*
 * proxy_kafka.c
 *		What the fault proxy knows of Kafka.
 *
 * A request is length, API key, version, correlation id, client id; an answer
 * is length and correlation id.  Of their bodies only that of Produce is read,
 * for the names of its partitions and the id of its producer.
 */
#include "proxy_kafka.h"

#include <arpa/inet.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define PRODUCE			0
#define API_MAX			128
#define RULES_MAX		32
#define PARTITIONS_MAX	65536	/* whose first request was seen */
#define FLEXIBLE		9		/* Produce from this version on */
#define TOPIC_IDS		13		/* names topics by number */
#define ANSWER_MAX		4096
#define PRODUCER_ID_AT	43		/* in a batch of records; its epoch follows */
#define PRODUCER_ID_SIZE 10

struct rule
{
	int			api;
	enum kafka_action action;
	int			count;
	int			skip;
	int			argument;
};

struct request
{
	struct request *next;
	int			api;
	uint32_t	correlation;
	enum kafka_action action;
	int			argument;
	char	   *answer;			/* owned; ours, waiting; NULL: the broker's */
	size_t		answer_len;
	int64_t		due;			/* ms; of our answer */
	uint64_t	partition;		/* hash; of our answer */
};

/* a message being read: past its end nothing is taken, and failed is set */
struct reader
{
	const unsigned char *at;
	const unsigned char *end;
	bool		failed;
};

struct writer
{
	unsigned char bytes[ANSWER_MAX];
	size_t		len;
};

static struct rule rules[RULES_MAX];
static unsigned long requests[API_MAX];
static int	first_code;
static int	first_wait;
static uint64_t seen[PARTITIONS_MAX];
static int	seen_count;

static size_t message_size(const struct flow *flow);
static void take_request(struct link *link, const char *bytes, size_t len,
						 struct faults *faults);
static void take_answer(struct link *link, const char *bytes, size_t len,
						struct faults *faults);
static struct rule *find_rule(int api);
static uint64_t refuse_produce(const char *bytes, size_t len, int code,
							   struct writer *out);
static bool is_first(uint64_t partition);
static void answer_sooner(struct link *link, uint64_t partition);

bool
kafka_rule(int api, enum kafka_action action, int count, int skip,
		   int argument)
{
	for (int i = 0; i < RULES_MAX; i++)
		if (rules[i].count == 0)
		{
			rules[i] = (struct rule) {api, action, count, skip, argument};
			return true;
		}
	return false;
}

void
kafka_first(int code, int wait)
{
	first_code = code;
	first_wait = wait;
	seen_count = 0;
}

void
kafka_forget_rules(void)
{
	memset(rules, 0, sizeof(rules));
	kafka_first(0, 0);
}

void
kafka_pass(struct link *link, enum direction way, struct faults *faults)
{
	struct flow *flow = &link->flow[way];
	size_t		taken = 0;
	size_t		size;

	while (!link->doomed && (size = message_size(flow)) > 0)
	{
		char	   *bytes = flow->in;

		if (way == UP)
			take_request(link, bytes, size, faults);
		else
			take_answer(link, bytes, size, faults);
		taken = size;
		flow->in_len -= taken;
		memmove(flow->in, flow->in + taken, flow->in_len);
	}
}

void
kafka_release(struct link *link)
{
	link->flow[UP].blocked = link->flow[DOWN].blocked = link->vanished;
}

int
kafka_tick(struct link *link)
{
	struct request **at = &link->requests;
	int64_t		now = now_ms();
	int			wait = -1;

	while (*at != NULL)
	{
		struct request *request = *at;

		if (request->answer == NULL || request->due > now)
		{
			if (request->answer != NULL &&
				(wait < 0 || request->due - now < wait))
				wait = (int) (request->due - now);
			at = &request->next;
			continue;
		}
		link_queue(link, DOWN, request->answer, request->answer_len, 0);
		*at = request->next;
		free(request->answer);
		free(request);
	}
	return wait;
}

unsigned long
kafka_requests(int api)
{
	return api >= 0 && api < API_MAX ? requests[api] : 0;
}

void
kafka_forget(struct link *link)
{
	while (link->requests != NULL)
	{
		struct request *request = link->requests;

		link->requests = request->next;
		free(request->answer);
		free(request);
	}
}

/* Of the first message, with its length; 0 while it is incomplete. */
static size_t
message_size(const struct flow *flow)
{
	uint32_t	size;

	if (flow->in_len < sizeof(size))
		return 0;
	memcpy(&size, flow->in, sizeof(size));
	size = ntohl(size);
	return flow->in_len >= sizeof(size) + size ? sizeof(size) + size : 0;
}

static void
take_request(struct link *link, const char *bytes, size_t len,
			 struct faults *faults)
{
	struct request *request = calloc(1, sizeof(*request));
	struct request **last = &link->requests;
	struct writer out = {.len = 0};
	uint16_t	api;
	struct rule *rule;

	memcpy(&api, bytes + 4, sizeof(api));
	memcpy(&request->correlation, bytes + 8, sizeof(request->correlation));
	request->api = ntohs(api);
	if (request->api < API_MAX)
		requests[request->api]++;
	rule = find_rule(request->api);
	if (rule != NULL)
	{
		request->action = rule->action;
		request->argument = rule->argument;
		faults->fired++;
	}
	while (*last != NULL)
		last = &(*last)->next;
	*last = request;

	if (request->api == PRODUCE && first_code != 0 && rule == NULL)
	{
		request->partition = refuse_produce(bytes, len, first_code, &out);
		if (out.len > 0 && is_first(request->partition))
		{
			request->due = now_ms() + first_wait;
			faults->fired++;
		}
		else
		{
			out.len = 0;
			answer_sooner(link, request->partition);
		}
	}
	else if (request->action == ANSWER_ERROR)
	{
		refuse_produce(bytes, len, request->argument, &out);
		request->due = now_ms();
	}
	if (out.len > 0)
	{
		request->answer = malloc(out.len);
		memcpy(request->answer, out.bytes, out.len);
		request->answer_len = out.len;
		return;
	}
	if (request->action == REQUEST_RESET)
		link->doomed = true;
	if (request->action == REQUEST_HOLD)
		link->flow[UP].blocked = true;
	link_queue(link, UP, bytes, len, link_delay(faults, UP));
}

static void
take_answer(struct link *link, const char *bytes, size_t len,
			struct faults *faults)
{
	struct request **at = &link->requests;
	struct request *request;
	uint32_t	correlation;
	int			wait = link_delay(faults, DOWN);

	memcpy(&correlation, bytes + 4, sizeof(correlation));
	while (*at != NULL && (*at)->correlation != correlation)
		at = &(*at)->next;
	request = *at;
	if (request != NULL)
	{
		*at = request->next;
		if (request->action == ANSWER_RESET)
			link->doomed = true;
		if (request->action == ANSWER_HOLD)
			link->flow[DOWN].blocked = true;
		if (request->action == ANSWER_DELAY)
			wait += request->argument;
	}
	if (request == NULL || request->action != ANSWER_DROP)
		link_queue(link, DOWN, bytes, len, wait);
	free(request);
}

static struct rule *
find_rule(int api)
{
	for (int i = 0; i < RULES_MAX; i++)
	{
		struct rule *rule = &rules[i];

		if (rule->count == 0 || rule->api != api)
			continue;
		if (rule->skip > 0)
		{
			rule->skip--;
			return NULL;
		}
		rule->count--;
		return rule;
	}
	return NULL;
}

/* --- Produce ----------------------------------------------------------- */

static uint64_t
get(struct reader *in, size_t size)
{
	uint64_t	value = 0;

	if ((size_t) (in->end - in->at) < size)
		in->failed = true;
	for (; size > 0 && !in->failed; size--)
		value = value << 8 | *in->at++;
	return value;
}

static uint64_t
get_varint(struct reader *in)
{
	uint64_t	value = 0;

	for (int shift = 0; shift < 35 && !in->failed; shift += 7)
	{
		uint64_t	byte = get(in, 1);

		value |= (byte & 0x7f) << shift;
		if ((byte & 0x80) == 0)
			break;
	}
	return value;
}

/* A length or count, in "size" bytes or as a varint; null is 0. */
static size_t
get_size(struct reader *in, bool flexible, size_t size)
{
	uint64_t	value = flexible ? get_varint(in) : get(in, size);

	if (flexible)
		return value == 0 ? 0 : (size_t) value - 1;
	return value >> (8 * size - 1) != 0 ? 0 : (size_t) value;
}

static const unsigned char *
skip(struct reader *in, size_t size)
{
	const unsigned char *at = in->at;

	if ((size_t) (in->end - in->at) < size)
		in->failed = true;
	else
		in->at += size;
	return at;
}

static void
skip_tags(struct reader *in, bool flexible)
{
	uint64_t	count = flexible ? get_varint(in) : 0;

	for (; count > 0 && !in->failed; count--)
	{
		get_varint(in);
		skip(in, (size_t) get_varint(in));
	}
}

static void
put(struct writer *out, uint64_t value, size_t size)
{
	for (; size > 0 && out->len < sizeof(out->bytes); size--)
		out->bytes[out->len++] = (unsigned char) (value >> (8 * (size - 1)));
}

static void
put_size(struct writer *out, size_t value, bool flexible, size_t size)
{
	if (!flexible)
	{
		put(out, value, size);
		return;
	}
	for (value++; value >= 0x80; value >>= 7)
		put(out, (value & 0x7f) | 0x80, 1);
	put(out, value, 1);
}

static void
put_bytes(struct writer *out, const unsigned char *bytes, size_t len)
{
	for (; len > 0; len--)
		put(out, *bytes++, 1);
}

static uint64_t
add_hash(uint64_t hash, const unsigned char *bytes, size_t len)
{
	for (; len > 0; len--)
		hash = (hash ^ *bytes++) * 1099511628211u;
	return hash;
}

static void
refuse_partition(struct reader *in, struct writer *out, int version, int code,
				 uint64_t *hash)
{
	bool		flexible = version >= FLEXIBLE;
	uint64_t	number = get(in, 4);
	const unsigned char *records;
	size_t		size;
	unsigned char digits[4] = {
		(unsigned char) (number >> 24), (unsigned char) (number >> 16),
		(unsigned char) (number >> 8), (unsigned char) number,
	};

	size = get_size(in, flexible, 4);
	records = skip(in, size);
	*hash = add_hash(*hash, digits, sizeof(digits));
	if (!in->failed && size >= PRODUCER_ID_AT + PRODUCER_ID_SIZE)
		*hash = add_hash(*hash, records + PRODUCER_ID_AT, PRODUCER_ID_SIZE);
	skip_tags(in, flexible);
	put(out, number, 4);
	put(out, (uint64_t) code, 2);
	put(out, UINT64_MAX, 8);	/* offset */
	put(out, UINT64_MAX, 8);	/* time of the log */
	if (version >= 5)
		put(out, UINT64_MAX, 8);	/* begin of the log */
	if (version >= 8)
	{
		put_size(out, 0, flexible, 4);	/* errors of records */
		/* no text: -1, or 0 as a varint */
		put(out, flexible ? 0 : UINT64_MAX, flexible ? 1 : 2);
	}
	if (flexible)
		put(out, 0, 1);
}

/*
 * Makes the answer that refuses all partitions of a Produce request (versions
 * 3 to 13), and returns a hash of their names and their producer's id.  An answer of no length means
 * that the request was not understood.
 */
static uint64_t
refuse_produce(const char *bytes, size_t len, int code, struct writer *out)
{
	struct reader in = {(const unsigned char *) bytes + 4,
	(const unsigned char *) bytes + len, false};
	int			version = (get(&in, 2), (int) get(&in, 2));
	bool		flexible = version >= FLEXIBLE;
	uint64_t	hash = 14695981039346656037u;
	size_t		topics;

	put(out, 0, 4);				/* length */
	put(out, get(&in, 4), 4);	/* correlation id */
	if (flexible)
		put(out, 0, 1);
	skip(&in, get_size(&in, false, 2)); /* client id */
	skip_tags(&in, flexible);
	skip(&in, get_size(&in, flexible, 2));	/* transactional id */
	skip(&in, 2 + 4);			/* acks, timeout */

	topics = get_size(&in, flexible, 4);
	put_size(out, topics, flexible, 4);
	for (; topics > 0 && !in.failed; topics--)
	{
		size_t		size = version >= TOPIC_IDS ? 16 :
			get_size(&in, flexible, 2);
		const unsigned char *name = skip(&in, size);
		size_t		partitions = get_size(&in, flexible, 4);

		if (in.failed)
			break;
		hash = add_hash(hash, name, size);
		if (version < TOPIC_IDS)
			put_size(out, size, flexible, 2);
		put_bytes(out, name, size);
		put_size(out, partitions, flexible, 4);
		for (; partitions > 0 && !in.failed; partitions--)
			refuse_partition(&in, out, version, code, &hash);
		skip_tags(&in, flexible);
		if (flexible)
			put(out, 0, 1);
	}
	put(out, 0, 4);				/* throttled for */
	if (flexible)
		put(out, 0, 1);
	if (in.failed || version < 3 || version > TOPIC_IDS ||
		out->len >= sizeof(out->bytes))
		out->len = 0;
	else
		for (int i = 0; i < 4; i++)
			out->bytes[i] = (unsigned char) ((out->len - 4) >> (24 - 8 * i));
	return hash;
}

/* Remembers it, too. */
static bool
is_first(uint64_t partition)
{
	for (int i = 0; i < seen_count; i++)
		if (seen[i] == partition)
			return false;
	if (seen_count < PARTITIONS_MAX)
		seen[seen_count++] = partition;
	return true;
}

/* The second request is on its way: the first may be refused. */
static void
answer_sooner(struct link *link, uint64_t partition)
{
	for (struct request *r = link->requests; r != NULL; r = r->next)
		if (r->answer != NULL && r->partition == partition)
			r->due = now_ms();
}
