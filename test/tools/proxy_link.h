/*
 * proxy_link.h
 *		One connection through the fault proxy: two sockets, and in each
 *		direction a queue of pieces on their way.
 */
#ifndef PROXY_LINK_H
#define PROXY_LINK_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum direction
{
	UP,							/* client to server; its source is socket 0 */
	DOWN,						/* server to client; its source is socket 1 */
};

/* What happens to bytes; one set for all connections. */
struct faults
{
	int			delay[2];		/* ms */
	int			jitter[2];		/* ms, more or less */
	long		rate[2];		/* bytes per second; 0: no bound */
	bool		hold[2];		/* nothing goes on until it is lifted */
	bool		drop[2];		/* what comes is thrown away */
	bool		dead;			/* not even TCP answers */
	long		cut[2];			/* bytes until a reset; -1: none */
	unsigned long bytes[2];		/* passed on so far */
	unsigned long fired;		/* faults that have struck */
};

struct piece
{
	struct piece *next;
	size_t		len;
	size_t		done;
	int64_t		due;			/* ms; not before it */
	char		bytes[];
};

struct flow
{
	struct piece *head;
	struct piece **tail;
	size_t		size;			/* bytes queued */
	char	   *in;				/* owned; an incomplete message */
	size_t		in_len;
	size_t		in_size;
	bool		ended;			/* the source gives no more */
	bool		shut;			/* and its destination knows */
	bool		blocked;		/* until kafka_release() */
	double		tokens;			/* bytes that the rate lets through */
	int64_t		filled_at;		/* ms */
};

struct request;

struct link
{
	struct link *next;
	int			fd[2];			/* client, server; -1 once closed */
	struct flow flow[2];
	bool		vanished;		/* one end went without a word */
	bool		doomed;			/* to be reset */
	struct request *requests;	/* owned; Kafka's, unanswered */
};

extern int64_t now_ms(void);

extern struct link *link_open(int client, int server, int64_t now);
extern void link_free(struct link *link, bool reset);

/* Bytes that go to the flow's end, no sooner than in "wait" ms. */
extern void link_queue(struct link *link, enum direction way,
					   const char *bytes, size_t len, int wait);

/* How long bytes of this direction take, drawn anew each time; ms. */
extern int	link_delay(const struct faults *faults, enum direction way);

/* What to poll for, and in how many ms at the latest (-1: no matter). */
extern int	link_events(struct link *link, const struct faults *faults,
						struct pollfd fds[2]);

/*
 * Reads what has come: the caller takes bytes from flow->in.  Nothing is read
 * while much is queued.
 */
extern void link_read(struct link *link, enum direction way);

/* Passes on what is due. */
extern void link_write(struct link *link, enum direction way,
					   struct faults *faults);

/* One end goes; the other is not told, and a client's next word is reset. */
extern void link_vanish(struct link *link, int end);

/* Packets that come to this socket are lost before TCP sees them. */
extern bool socket_deaf(int fd, bool deaf);

/* Whether nothing is left to do for it. */
extern bool link_is_over(const struct link *link);

#endif							/* PROXY_LINK_H */
