/*
 * sight.c
 *		Which transactions of the stream a database snapshot sees.
 */
#include "sight.h"

#include <errno.h>
#include <stdlib.h>

#include "clock.h"
#include "mem.h"

#define FIRST_XID		3		/* those before mean something else */
#define SENT_SECONDS	600

static bool
precedes(uint32_t a, uint32_t b)
{
	return (int32_t) (a - b) < 0;
}

/* Reads one id and what follows it. */
static bool
parse_xid(const char *text, uint32_t *xid, const char **end)
{
	unsigned long value;
	char	   *rest;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	value = strtoul(text, &rest, 10);
	if (errno != 0 || value > UINT32_MAX)
		return false;
	*xid = (uint32_t) value;
	*end = rest;
	return true;
}

static bool
parse_list(struct sight_list *list, const char *text)
{
	size_t		room = 1;

	if (*text++ != '{')
		return false;
	for (const char *c = text; *c != '\0'; c++)
		room += *c == ',';
	list->xids = mem_alloc(room * sizeof(uint32_t));
	while (*text != '}')
	{
		if ((list->count > 0 && *text++ != ',') ||
			!parse_xid(text, &list->xids[list->count], &text))
			return false;
		list->count++;
	}
	return text[1] == '\0';
}

bool
sight_parse(struct sight *sight, const char *xmin, const char *xmax,
			const char *running, const char *unseen)
{
	const char *end = "";
	const char *end2 = "";

	*sight = (struct sight) {.xmin = 0};
	if (parse_xid(xmin, &sight->xmin, &end) && *end == '\0' &&
		parse_xid(xmax, &sight->xmax, &end2) && *end2 == '\0' &&
		parse_list(&sight->running, running) &&
		parse_list(&sight->unseen, unseen))
		return true;
	sight_free(sight);
	return false;
}

void
sight_free(struct sight *sight)
{
	free(sight->running.xids);
	free(sight->unseen.xids);
	*sight = (struct sight) {.xmin = 0};
}

static bool
has(const struct sight_list *list, uint32_t xid)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->xids[i] == xid)
			return true;
	return false;
}

bool
sight_sees(const struct sight *sight, uint32_t xid)
{
	if (xid < FIRST_XID || precedes(xid, sight->xmin))
		return true;
	if (!precedes(xid, sight->xmax))
		return false;
	return !has(&sight->running, xid);
}

bool
sight_has_forgotten(const struct sight_sent *sent, uint64_t count, int64_t at)
{
	return sent->count - count >= SIGHT_SENT ||
		clock_ms() - at >= (SENT_SECONDS - 1) * 1000;
}

bool
sight_is_stuck(const struct sight *sight, const struct sight *before)
{
	for (size_t i = 0; i < sight->unseen.count; i++)
		if (has(&before->unseen, sight->unseen.xids[i]))
			return true;
	return false;
}

bool
sight_sees_frame(const struct sight *sight, const struct frame *frame)
{
	struct frame reader = *frame;
	struct frame_entry entry;

	while (frame_next(&reader, &entry))
		if (entry.kind == WIRE_TXN && !sight_sees(sight, entry.txn.xid))
			return false;
	return true;
}

bool
sight_sees_sent(const struct sight *sight, const struct sight_sent *sent)
{
	uint64_t	oldest = sent->count > SIGHT_SENT ? sent->count - SIGHT_SENT :
		0;
	uint32_t	now = (uint32_t) (clock_ms() / 1000);

	for (uint64_t i = sent->count; i-- > oldest;)
	{
		if (now - sent->noted[i % SIGHT_SENT].at > SENT_SECONDS)
			break;
		if (!sight_sees(sight, sent->noted[i % SIGHT_SENT].xid))
			return false;
	}
	return true;
}

/* A transaction may be named by each of its frames: once is enough. */
void
sight_note(struct sight_sent *sent, uint32_t xid)
{
	struct timespec now;

	if (sent->count > 0 &&
		sent->noted[(sent->count - 1) % SIGHT_SENT].xid == xid)
		return;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	sent->noted[sent->count % SIGHT_SENT].xid = xid;
	sent->noted[sent->count % SIGHT_SENT].at = (uint32_t) now.tv_sec;
	sent->count++;
}
