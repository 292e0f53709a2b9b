/*
 * proxy_link.c
 *		One connection through the fault proxy.
 */
#include "proxy_link.h"

#include <errno.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define QUEUE_MAX	(1024 * 1024)	/* more is left to the kernel */
#define READ_SIZE	65536

static bool may_write(const struct flow *flow, const struct faults *faults,
					  enum direction way);
static void fill_tokens(struct flow *flow, long rate, int64_t now);
static void end_flow(struct flow *flow);

int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct link *
link_open(int client, int server, int64_t now)
{
	struct link *link = calloc(1, sizeof(*link));

	link->fd[0] = client;
	link->fd[1] = server;
	for (int way = UP; way <= DOWN; way++)
	{
		link->flow[way].tail = &link->flow[way].head;
		link->flow[way].filled_at = now;
	}
	return link;
}

void
link_free(struct link *link, bool reset)
{
	struct linger linger = {1, 0};

	for (int end = 0; end < 2; end++)
	{
		if (link->fd[end] < 0)
			continue;
		if (reset)
			setsockopt(link->fd[end], SOL_SOCKET, SO_LINGER, &linger,
					   sizeof(linger));
		close(link->fd[end]);
	}
	for (int way = UP; way <= DOWN; way++)
	{
		end_flow(&link->flow[way]);
		free(link->flow[way].in);
	}
	free(link);
}

void
link_queue(struct link *link, enum direction way, const char *bytes,
		   size_t len, int wait)
{
	struct flow *flow = &link->flow[way];
	struct piece *piece = malloc(sizeof(*piece) + len);

	*piece = (struct piece) {.len = len,.due = now_ms() + wait};
	memcpy(piece->bytes, bytes, len);
	*flow->tail = piece;
	flow->tail = &piece->next;
	flow->size += len;
}

int
link_delay(const struct faults *faults, enum direction way)
{
	int			wait = faults->delay[way];

	if (faults->jitter[way] > 0)
		wait += (int) (random() % (2 * faults->jitter[way])) -
			faults->jitter[way];
	return wait > 0 ? wait : 0;
}

/* A socket that nothing is wanted of is left out: it would report hang-ups. */
int
link_events(struct link *link, const struct faults *faults,
			struct pollfd fds[2])
{
	int64_t		now = now_ms();
	int			wait = -1;

	for (int end = 0; end < 2; end++)
		fds[end] = (struct pollfd) {link->fd[end], 0, 0};
	for (int way = UP; way <= DOWN && !faults->dead; way++)
	{
		struct flow *flow = &link->flow[way];
		int			due = -1;

		if (!flow->ended && flow->size < QUEUE_MAX)
			fds[way].events |= POLLIN;
		fill_tokens(flow, faults->rate[way], now);
		if (!may_write(flow, faults, way))
			continue;
		if (flow->head == NULL)
			due = flow->ended && !flow->shut ? 0 : -1;
		else if (flow->head->due > now)
			due = (int) (flow->head->due - now);
		else if (faults->rate[way] > 0 && flow->tokens < 1)
			due = (int) ((1 - flow->tokens) * 1000 / faults->rate[way]) + 1;
		else
			fds[1 - way].events |= POLLOUT;
		if (due >= 0 && (wait < 0 || due < wait))
			wait = due;
	}
	for (int end = 0; end < 2; end++)
		if (fds[end].events == 0)
			fds[end].fd = -1;
	return wait;
}

void
link_read(struct link *link, enum direction way)
{
	struct flow *flow = &link->flow[way];
	ssize_t		got;

	if (flow->in_len + READ_SIZE > flow->in_size)
	{
		flow->in_size = flow->in_len + 2 * READ_SIZE;
		flow->in = realloc(flow->in, flow->in_size);
	}
	got = recv(link->fd[way], flow->in + flow->in_len, READ_SIZE,
			   MSG_DONTWAIT);
	if (got > 0 && link->vanished)
		link->doomed = true;
	else if (got > 0)
		flow->in_len += (size_t) got;
	else if (got == 0 || (errno != EAGAIN && errno != EINTR))
		flow->ended = true;
}

void
link_write(struct link *link, enum direction way, struct faults *faults)
{
	struct flow *flow = &link->flow[way];
	int			to = link->fd[1 - way];

	while (may_write(flow, faults, way) && flow->head != NULL &&
		   flow->head->due <= now_ms() && !link->doomed)
	{
		struct piece *piece = flow->head;
		size_t		len = piece->len - piece->done;
		ssize_t		sent;

		if (faults->rate[way] > 0 && len > (size_t) flow->tokens)
			len = (size_t) flow->tokens;
		if (faults->cut[way] >= 0 && len > (size_t) faults->cut[way])
			len = (size_t) faults->cut[way];
		if (len == 0 && faults->cut[way] != 0)
			return;
		sent = len == 0 ? 0 : send(to, piece->bytes + piece->done, len,
								   MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (sent < 0)
		{
			end_flow(flow);
			return;
		}
		piece->done += (size_t) sent;
		flow->size -= (size_t) sent;
		flow->tokens -= (double) sent;
		faults->bytes[way] += (unsigned long) sent;
		if (faults->cut[way] >= 0 && (faults->cut[way] -= sent) == 0)
		{
			faults->cut[way] = -1;
			faults->fired++;
			link->doomed = true;
		}
		if (piece->done < piece->len)
			continue;
		flow->head = piece->next;
		if (flow->head == NULL)
			flow->tail = &flow->head;
		free(piece);
	}
	if (flow->ended && !flow->shut && flow->head == NULL &&
		may_write(flow, faults, way))
	{
		shutdown(to, SHUT_WR);
		flow->shut = true;
	}
}

void
link_vanish(struct link *link, int end)
{
	struct linger linger = {1, 0};

	if (link->fd[end] < 0 || link->vanished)
		return;
	if (end == 0)
		setsockopt(link->fd[end], SOL_SOCKET, SO_LINGER, &linger,
				   sizeof(linger));
	close(link->fd[end]);
	link->fd[end] = -1;
	link->vanished = true;
	for (int way = UP; way <= DOWN; way++)
	{
		/* only a client's words are still listened for */
		bool		listens = way == UP && end == 1;

		end_flow(&link->flow[way]);
		link->flow[way].ended = !listens;
		link->flow[way].shut = false;
		link->flow[way].blocked = true;
	}
}

bool
socket_deaf(int fd, bool deaf)
{
	struct sock_filter nothing = {BPF_RET | BPF_K, 0, 0, 0};
	struct sock_fprog program = {1, &nothing};
	int			unused = 0;

	return setsockopt(fd, SOL_SOCKET,
					  deaf ? SO_ATTACH_FILTER : SO_DETACH_FILTER,
					  deaf ? (void *) &program : (void *) &unused,
					  deaf ? sizeof(program) : sizeof(unused)) == 0;
}

bool
link_is_over(const struct link *link)
{
	if (link->vanished)
		return link->fd[0] >= 0 && link->flow[UP].ended;
	return link->flow[UP].shut && link->flow[DOWN].shut;
}

static bool
may_write(const struct flow *flow, const struct faults *faults,
		  enum direction way)
{
	return !flow->blocked && !faults->hold[way] && !faults->dead;
}

/* A tenth of a second may go at once, and always a byte. */
static void
fill_tokens(struct flow *flow, long rate, int64_t now)
{
	double		most = (double) rate / 10;

	flow->tokens += (double) (now - flow->filled_at) * (double) rate / 1000;
	flow->filled_at = now;
	if (most < 1)
		most = 1;
	if (flow->tokens > most)
		flow->tokens = most;
	if (flow->tokens < 0)
		flow->tokens = 0;
}

/* What is queued goes nowhere. */
static void
end_flow(struct flow *flow)
{
	while (flow->head != NULL)
	{
		struct piece *piece = flow->head;

		flow->head = piece->next;
		free(piece);
	}
	flow->tail = &flow->head;
	flow->size = 0;
	flow->ended = flow->shut = true;
}
