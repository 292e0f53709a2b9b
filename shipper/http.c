/*
 * http.c
 *		/live, /ready and /metrics over HTTP.
 *
 * libmicrohttpd in a thread of ours.  Clients are not trusted with anything:
 * one request a connection, a few seconds for all of it, a few connections,
 * of which the oldest goes when one more comes; so a flood of idle ones does
 * not keep out who has something to ask.  Nothing that a client sent is sent
 * back.
 */
#include "http.h"

#include <string.h>

bool
http_is_wanted(const struct config *config)
{
	return strcmp(config->http, "none") != 0;
}

#ifdef WITH_HTTP

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "address.h"
#include "clock.h"
#include "exposition.h"
#include "log.h"
#include "mem.h"
#include "metrics_copy.h"
#include "ready.h"
#include "rlimits.h"

#define CLIENTS_MAX		16
#define CLOSING_MAX		16		/* sent away, and not gone yet */
#define IDLE_SECONDS	2
#define LIFE_MS			5000	/* of a connection, however busy */
#define REQUEST_SIZE	5120	/* memory for a request and our headers */
#define TICK_MS			250
#define STUCK_MS		10000	/* a loop that did not turn for so long */

/* One connection, newest first in the list. */
struct client
{
	struct client *next;
	int			fd;				/* libmicrohttpd's */
	int64_t		since;			/* ms */
	bool		closing;
};

struct http
{
	struct MHD_Daemon *daemon;	/* owned */
	struct client *clients;		/* owned by the connections */
	struct metrics metrics;		/* a copy, here to be off the stack */
	pthread_t	thread;
	int			stop[2];		/* pipe: its end is the thread's */
};

/* An answer: status and text. */
struct answer
{
	unsigned	status;
	const char *type;
	char	   *text;			/* owned */
};

static int	listen_at(const char *text);
static bool start(struct http *http, int listener);
static void *serve(void *arg);
static void send_away(struct http *http);
static void on_connection(void *cls, struct MHD_Connection *connection,
						  void **context,
						  enum MHD_ConnectionNotificationCode code);
static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection,
								  const char *url, const char *method,
								  const char *version, const char *upload,
								  size_t *upload_size, void **context);
static struct answer answer(struct http *http, const char *method,
							const char *url);
static struct answer answer_live(void);
static struct answer answer_ready(void);
static struct answer answer_metrics(struct http *http);
static enum MHD_Result respond(struct MHD_Connection *connection,
							   struct answer answer);

bool
http_is_built(void)
{
	return true;
}

struct http *
http_open(const struct config *config)
{
	struct http *http = mem_zalloc(sizeof(*http));
	int			listener = listen_at(config->http);
	int			error = errno;

	if (listener < 0)
	{
		log_error("could not listen at \"http\" = %s: %s", config->http,
				  strerror(error));
		if (error == EADDRINUSE)
			log_hint("Another program has that port, perhaps another "
					 "wal2kafka: give each its own.");
	}
	else if (start(http, listener))
	{
		log_info("/live, /ready and /metrics are at %s", config->http);
		return http;
	}
	free(http);
	return NULL;
}

void
http_close(struct http *http)
{
	if (http == NULL)
		return;
	close(http->stop[1]);
	pthread_join(http->thread, NULL);
	MHD_stop_daemon(http->daemon);
	close(http->stop[0]);
	free(http);
}

/* A socket, or -1 with errno. */
static int
listen_at(const char *text)
{
	struct address address;
	int			on = 1;
	int			fd;
	int			error;

	if (!address_parse(text, &address))
	{
		errno = EINVAL;
		return -1;
	}
	fd = socket(address.socket.ss_family,
				SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *) &address.socket, address.length) == 0 &&
		listen(fd, SOMAXCONN) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* Takes the listener over. */
static bool
start(struct http *http, int listener)
{
	if (pipe2(http->stop, O_CLOEXEC) != 0)
		abort();
	http->daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL,
									on_request, http,
									MHD_OPTION_LISTEN_SOCKET, listener,
									MHD_OPTION_CONNECTION_LIMIT,
									(unsigned) CLIENTS_MAX + CLOSING_MAX,
									MHD_OPTION_CONNECTION_TIMEOUT,
									(unsigned) IDLE_SECONDS,
									MHD_OPTION_CONNECTION_MEMORY_LIMIT,
									(size_t) REQUEST_SIZE,
									MHD_OPTION_NOTIFY_CONNECTION,
									on_connection, http,
									MHD_OPTION_END);
	if (http->daemon == NULL)
	{
		log_error("could not start the HTTP server: %s", strerror(errno));
		close(listener);
		close(http->stop[0]);
		close(http->stop[1]);
		return false;
	}
	rlimits_thread(&http->thread, serve, http);
	return true;
}

static void *
serve(void *arg)
{
	struct http *http = arg;
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	struct pollfd fds[2] = {{info->epoll_fd, POLLIN, 0},
	{http->stop[0], POLLIN, 0}};

	for (;;)
	{
		MHD_UNSIGNED_LONG_LONG left;
		int			timeout = TICK_MS;

		if (http->clients == NULL)
			timeout = -1;
		if (MHD_get_timeout(http->daemon, &left) == MHD_YES && left < TICK_MS)
			timeout = (int) left;
		if (poll(fds, 2, timeout) < 0 && errno != EINTR)
			return NULL;
		if (fds[1].revents != 0)
			return NULL;
		MHD_run(http->daemon);
		send_away(http);
	}
}

/* The list is newest first: who comes after so many is one too many. */
static void
send_away(struct http *http)
{
	int64_t		now = clock_ms();
	int			count = 0;

	for (struct client *client = http->clients; client != NULL;
		 client = client->next)
		if (!client->closing &&
			(++count > CLIENTS_MAX || now - client->since > LIFE_MS))
		{
			client->closing = true;
			shutdown(client->fd, SHUT_RDWR);
		}
}

static void
on_connection(void *cls, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct http *http = cls;
	struct client *client = *context;
	struct client **link = &http->clients;

	if (code == MHD_CONNECTION_NOTIFY_STARTED)
	{
		client = mem_zalloc(sizeof(*client));
		client->fd = MHD_get_connection_info(connection,
											 MHD_CONNECTION_INFO_CONNECTION_FD)
			->connect_fd;
		client->since = clock_ms();
		client->next = http->clients;
		http->clients = client;
		*context = client;
		return;
	}
	while (*link != client)
		link = &(*link)->next;
	*link = client->next;
	free(client);
}

/* Called when the headers are there; what comes after them is not read. */
static enum MHD_Result
on_request(void *cls, struct MHD_Connection *connection, const char *url,
		   const char *method, const char *version, const char *upload,
		   size_t *upload_size, void **context)
{
	(void) version;
	(void) upload;
	(void) upload_size;
	(void) context;
	return respond(connection, answer(cls, method, url));
}

static struct answer
answer(struct http *http, const char *method, const char *url)
{
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
		strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return (struct answer) {MHD_HTTP_METHOD_NOT_ALLOWED, NULL,
			mem_strdup("only GET and HEAD\n")};
	if (strcmp(url, "/live") == 0)
		return answer_live();
	if (strcmp(url, "/ready") == 0)
		return answer_ready();
	if (strcmp(url, "/metrics") == 0)
		return answer_metrics(http);
	return (struct answer) {MHD_HTTP_NOT_FOUND, NULL,
		mem_strdup("only /live, /ready and /metrics\n")};
}

/* That Kafka or the server is down is no reason to kill the process. */
static struct answer
answer_live(void)
{
	int64_t		idle = ready_idle_ms();

	if (idle < STUCK_MS)
		return (struct answer) {MHD_HTTP_OK, NULL, mem_strdup("live\n")};
	return (struct answer) {MHD_HTTP_SERVICE_UNAVAILABLE, NULL,
		mem_format("the main loop stands still since %" PRId64 " s\n",
				   idle / 1000)};
}

static struct answer
answer_ready(void)
{
	unsigned	faults = ready_faults();
	const char *between = "not ready: ";
	char	   *text;

	if (ready_idle_ms() >= STUCK_MS)
		return answer_live();
	if (faults == 0)
		return (struct answer) {MHD_HTTP_OK, NULL, mem_strdup("ready\n")};
	text = mem_strdup("");
	for (int i = 0; i < READY_COUNT; i++)
		if ((faults >> i & 1) != 0)
		{
			char	   *longer = mem_format("%s%s%s", text, between,
											ready_text((enum ready_fault) i));

			free(text);
			text = longer;
			between = "; ";
		}
	text = mem_realloc(text, strlen(text) + 2);
	strcat(text, "\n");
	return (struct answer) {MHD_HTTP_SERVICE_UNAVAILABLE, NULL, text};
}

static struct answer
answer_metrics(struct http *http)
{
	metrics_copy_take(&http->metrics);
	return (struct answer) {MHD_HTTP_OK, EXPOSITION_TYPE,
		exposition_text(&http->metrics)};
}

/* The response takes the text over. */
static enum MHD_Result
respond(struct MHD_Connection *connection, struct answer answer)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(strlen(answer.text), answer.text,
										MHD_RESPMEM_MUST_FREE);
	enum MHD_Result result;

	if (response == NULL)
	{
		free(answer.text);
		return MHD_NO;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
							answer.type != NULL ? answer.type :
							"text/plain; charset=utf-8");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
							"no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	if (answer.status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = MHD_queue_response(connection, answer.status, response);
	MHD_destroy_response(response);
	return result;
}

#else							/* WITH_HTTP */

bool
http_is_built(void)
{
	return false;
}

/* config_check() refuses what would lead here. */
struct http *
http_open(const struct config *config)
{
	(void) config;
	return NULL;
}

void
http_close(struct http *http)
{
	(void) http;
}

#endif							/* WITH_HTTP */
