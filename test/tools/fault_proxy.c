/*
 * fault_proxy.c
 *		Stands between a client and a server and spoils their connections.
 *
 *	fault_proxy PORT TARGET [kafka]
 *
 * Listens on 127.0.0.1:PORT and goes on to TARGET, HOST:PORT or the path of a
 * unix socket.  With "kafka" it reads the lengths and API keys of requests.
 * Obeys lines on stdin and answers each with "ok", "ok NUMBER" or "error": a
 * test has no other way to know that a fault is in place.  Ends at end of
 * file.  test/lib/Wal2Kafka/FaultProxy.pm says what the lines do.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "proxy_kafka.h"
#include "proxy_link.h"

#define LINKS_MAX	256

static struct faults faults = {.cut = {-1, -1}};
static struct link *links;
static unsigned long accepted;
static int	port;
static const char *target;
static bool speaks_kafka;
static int	listener = -1;
static char input[4096];		/* of commands, incomplete */
static size_t input_len;

static bool start_listening(void);
static void stop_listening(void);
static int	connect_target(void);
static void accept_link(void);
static int	serve_links(struct pollfd *fds, int *count);
static void pass_on(struct link *link, enum direction way);
static void sweep(void);
static bool read_commands(void);
static void obey(char *line);

int
main(int argc, char **argv)
{
	static struct pollfd fds[2 + 2 * LINKS_MAX];

	if (argc < 3)
	{
		fprintf(stderr, "usage: fault_proxy PORT TARGET [kafka]\n");
		return 2;
	}
	port = atoi(argv[1]);
	target = argv[2];
	speaks_kafka = argc > 3 && strcmp(argv[3], "kafka") == 0;
	if (!start_listening())
	{
		perror("fault_proxy");
		return 2;
	}
	printf("ok\n");
	fflush(stdout);
	for (;;)
	{
		int			count = 2;
		int			wait;

		sweep();
		fds[0] = (struct pollfd) {STDIN_FILENO, POLLIN, 0};
		fds[1] = (struct pollfd) {listener, POLLIN, 0};
		wait = serve_links(fds, &count);
		poll(fds, (nfds_t) count, wait);
		if (fds[0].revents != 0 && !read_commands())
			return 0;
		count = 2;
		for (struct link *link = links; link != NULL; link = link->next)
			for (int way = UP; way <= DOWN && count < 2 + 2 * LINKS_MAX; way++)
				if ((fds[count++].revents & ~POLLOUT) != 0)
					pass_on(link, way);
		if (listener >= 0 && fds[1].revents != 0)
			accept_link();
	}
}

/* --- connections ------------------------------------------------------- */

static bool
start_listening(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t) port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int			on = 1;

	if (listener >= 0)
		return true;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	return bind(listener, (struct sockaddr *) &address,
				sizeof(address)) == 0 &&
		listen(listener, 64) == 0;
}

static void
stop_listening(void)
{
	if (listener >= 0)
		close(listener);
	listener = -1;
}

static int
connect_target(void)
{
	struct sockaddr_in inet = {.sin_family = AF_INET};
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	bool		is_path = target[0] == '/';
	struct sockaddr *address = is_path ? (struct sockaddr *) &local :
		(struct sockaddr *) &inet;
	const char *colon = strrchr(target, ':');
	int			fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char		host[64];

	if (is_path)
		snprintf(local.sun_path, sizeof(local.sun_path), "%s", target);
	else if (colon != NULL)
	{
		snprintf(host, sizeof(host), "%.*s", (int) (colon - target), target);
		inet.sin_port = htons((uint16_t) atoi(colon + 1));
		inet_pton(AF_INET, host, &inet.sin_addr);
	}
	if (connect(fd, address, is_path ? sizeof(local) : sizeof(inet)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* A server that is down looks like one to the client. */
static void
accept_link(void)
{
	struct linger linger = {1, 0};
	struct link *link;
	int			client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	int			server = client < 0 ? -1 : connect_target();
	int			on = 1;

	if (client < 0)
		return;
	if (server < 0)
	{
		setsockopt(client, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		close(client);
		return;
	}
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	link = link_open(client, server, now_ms());
	link->next = links;
	links = link;
	accepted++;
}

/* Sends what is due and asks for what comes; ms until more is due, or -1. */
static int
serve_links(struct pollfd *fds, int *count)
{
	int			wait = -1;

	for (struct link *link = links; link != NULL; link = link->next)
	{
		int			due[2] = {kafka_tick(link), -1};

		if (*count >= 2 + 2 * LINKS_MAX)
			break;
		for (int way = UP; way <= DOWN; way++)
			link_write(link, way, &faults);
		due[1] = link->doomed ? 0 : link_events(link, &faults, fds + *count);
		*count += 2;
		for (int i = 0; i < 2; i++)
			if (due[i] >= 0 && (wait < 0 || due[i] < wait))
				wait = due[i];
	}
	return wait;
}

static void
pass_on(struct link *link, enum direction way)
{
	struct flow *flow = &link->flow[way];

	if (link->fd[way] < 0 || flow->ended)
		return;
	link_read(link, way);
	if (faults.drop[way])
		flow->in_len = 0;
	if (flow->in_len == 0 || link->doomed)
		return;
	if (speaks_kafka)
	{
		kafka_pass(link, way, &faults);
		return;
	}
	link_queue(link, way, flow->in, flow->in_len, link_delay(&faults, way));
	flow->in_len = 0;
}

static void
sweep(void)
{
	struct link **at = &links;

	while (*at != NULL)
	{
		struct link *link = *at;

		if (!link->doomed && !link_is_over(link))
		{
			at = &link->next;
			continue;
		}
		*at = link->next;
		kafka_forget(link);
		link_free(link, link->doomed);
	}
}

/* --- commands ---------------------------------------------------------- */

static bool
read_commands(void)
{
	ssize_t		got = read(STDIN_FILENO, input + input_len,
						   sizeof(input) - input_len - 1);
	char	   *end;

	if (got <= 0)
		return false;
	input_len += (size_t) got;
	input[input_len] = '\0';
	while ((end = strchr(input, '\n')) != NULL)
	{
		*end = '\0';
		obey(input);
		fflush(stdout);
		input_len -= (size_t) (end + 1 - input);
		memmove(input, end + 1, input_len + 1);
	}
	return true;
}

static bool
set_deaf(bool deaf)
{
	bool		ok = listener < 0 || socket_deaf(listener, deaf);

	faults.dead = deaf;
	for (struct link *link = links; link != NULL; link = link->next)
		for (int end = 0; end < 2; end++)
			if (link->fd[end] >= 0)
				ok &= socket_deaf(link->fd[end], deaf);
	return ok;
}

/*
 * All is well from now on; what was held goes on, ends left alone are closed.
 */
static void
heal(void)
{
	if (faults.dead)
		set_deaf(false);
	faults = (struct faults) {
		.cut = {-1, -1},
		.bytes = {faults.bytes[UP], faults.bytes[DOWN]},
		.fired = faults.fired,
	};
	kafka_forget_rules();
	for (struct link *link = links; link != NULL; link = link->next)
	{
		kafka_release(link);
		link->doomed |= link->vanished && link->fd[0] < 0;
	}
}

/* "reset" and "close" end all connections, "vanish" one end of each. */
static void
end_links(const char *how, const char *which)
{
	for (struct link *link = links; link != NULL; link = link->next)
	{
		if (strcmp(how, "vanish") == 0)
			link_vanish(link, strcmp(which, "client") == 0 ? 0 : 1);
		else if (strcmp(how, "close") == 0)
			link->flow[UP].shut = link->flow[DOWN].shut = true;
		else
			link->doomed = true;
	}
}

/* up: 0 to 0, down: 1 to 1, both: 0 to 1; else false. */
static bool
parse_way(const char *text, int *from, int *to)
{
	static const char *const names[] = {"up", "down", "both"};

	for (int i = 0; i < 3; i++)
		if (strcmp(text, names[i]) == 0)
		{
			*from = i == 1 ? DOWN : UP;
			*to = i == 0 ? UP : DOWN;
			return true;
		}
	return false;
}

static bool
set_way(const char *fault, const char *way, long value, long more)
{
	int			from;
	int			to;

	if (!parse_way(way, &from, &to))
		return false;
	for (int i = from; i <= to; i++)
	{
		if (strcmp(fault, "delay") == 0)
		{
			faults.delay[i] = (int) value;
			faults.jitter[i] = (int) more;
		}
		else if (strcmp(fault, "throttle") == 0)
			faults.rate[i] = value;
		else if (strcmp(fault, "hold") == 0)
			faults.hold[i] = true;
		else if (strcmp(fault, "drop") == 0)
			faults.drop[i] = true;
		else if (strcmp(fault, "cut") == 0)
			faults.cut[i] = value;
		else
			return false;
	}
	return true;
}

static bool
set_rule(const char *line)
{
	static const char *const names[] = {
		"", "drop", "reset", "hold", "delay", "error", "hold-request",
		"reset-request",
	};
	char		action[32];
	int			api;
	int			count = 1;
	int			skipped = 0;
	int			argument = 0;

	if (sscanf(line, "answer %d %31s %d %d %d", &api, action, &count,
			   &skipped, &argument) < 2)
		return false;
	for (int i = 1; i < (int) (sizeof(names) / sizeof(names[0])); i++)
		if (strcmp(action, names[i]) == 0)
			return kafka_rule(api, (enum kafka_action) i, count, skipped,
							  argument);
	return false;
}

static bool
count(const char *what, const char *of)
{
	unsigned long number = 0;

	if (strcmp(what, "links") == 0)
		for (struct link *link = links; link != NULL; link = link->next)
			number++;
	else if (strcmp(what, "accepted") == 0)
		number = accepted;
	else if (strcmp(what, "fired") == 0)
		number = faults.fired;
	else if (strcmp(what, "bytes") == 0)
		number = faults.bytes[strcmp(of, "up") == 0 ? UP : DOWN];
	else if (strcmp(what, "requests") == 0)
		number = kafka_requests(atoi(of));
	else
		return false;
	printf("ok %lu\n", number);
	return true;
}

static void
obey(char *line)
{
	char		verb[32] = "";
	char		word[32] = "";
	long		value = 0;
	long		more = 0;
	bool		ok = true;

	sscanf(line, "%31s %31s %ld %ld", verb, word, &value, &more);
	if (strcmp(verb, "pass") == 0)
		heal();
	if (strcmp(verb, "pass") == 0 || strcmp(verb, "listen") == 0)
		ok = start_listening();
	else if (strcmp(verb, "refuse") == 0)
		stop_listening();
	else if (strcmp(verb, "dead") == 0)
		ok = set_deaf(true);
	else if (strcmp(verb, "reset") == 0 || strcmp(verb, "close") == 0 ||
			 strcmp(verb, "vanish") == 0)
		end_links(verb, word);
	else if (strcmp(verb, "answer") == 0)
		ok = set_rule(line);
	else if (strcmp(verb, "first") == 0)
		kafka_first(atoi(word), (int) value);
	else if (count(verb, word))
		return;
	else
		ok = set_way(verb, word, value, more);
	printf(ok ? "ok\n" : "error\n");
}
