/*
 * proxy_kafka.c
 *		What the fault proxy knows of Kafka.
 *
 * A request is length, API key, version, correlation id, client id; an answer
 * is length and correlation id.  Of their bodies only that of Produce is read
 * (proxy_produce.c).
 */
#include "proxy_kafka.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "proxy_produce.h"

#define PRODUCE			0
#define API_MAX			128
#define RULES_MAX		32
#define PARTITIONS_MAX	65536	/* whose first request was seen */

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
static bool refuse(struct link *link, struct request *request,
				   const char *bytes, size_t len, struct faults *faults);
static struct rule *find_rule(int api);
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
	uint16_t	api;
	struct rule *rule;

	memcpy(&api, bytes + 4, sizeof(api));
	memcpy(&request->correlation, bytes + 8, sizeof(request->correlation));
	request->api = ntohs(api);
	if (request->api < API_MAX)
		requests[request->api]++;
	while (*last != NULL)
		last = &(*last)->next;
	*last = request;

	rule = find_rule(request->api);
	if (rule != NULL)
	{
		request->action = rule->action;
		request->argument = rule->argument;
		faults->fired++;
	}
	if (refuse(link, request, bytes, len, faults))
		return;
	if (request->action == REQUEST_RESET)
		link->doomed = true;
	if (request->action == REQUEST_HOLD)
		link->flow[UP].blocked = true;
	link_queue(link, UP, bytes, len, link_delay(faults, UP));
}

/*
 * Whether we answer it; a second request to a partition ends the first's wait.
 */
static bool
refuse(struct link *link, struct request *request, const char *bytes,
	   size_t len, struct faults *faults)
{
	struct refusal out = {.len = 0};

	if (request->action == ANSWER_ERROR)
		refuse_produce(bytes, len, request->argument, &out);
	else if (request->api == PRODUCE && first_code != 0 &&
			 request->action == ANSWER_PASS)
	{
		request->partition = refuse_produce(bytes, len, first_code, &out);
		if (!is_first(request->partition))
		{
			answer_sooner(link, request->partition);
			return false;
		}
		request->due = now_ms() + first_wait;
		faults->fired += out.len > 0;
	}
	if (out.len == 0)
		return false;
	request->answer = malloc(out.len);
	memcpy(request->answer, out.bytes, out.len);
	request->answer_len = out.len;
	return true;
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
