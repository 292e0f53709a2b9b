/*
 * watch.c
 *		The slot and the end of the log.
 *
 * Nothing is logged here: the replication connection meets the same troubles,
 * and the log is the loop's.
 */
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libpq-fe.h>

#include "clock.h"
#include "lag.h"
#include "mem.h"
#include "metrics.h"
#include "rlimits.h"

#define REST_MS		10000
#define REST_MAX_MS	60000		/* while the server does not answer */
#define LOOK_MS		10000
#define CLOSE_SECONDS	2

struct watch
{
	const struct config *config;	/* borrowed */
	pthread_t	thread;
	int			stop[2];		/* pipe: the thread ends when it is closed */

	bool		fresh;			/* atomic: there is something to collect */
	pthread_mutex_t lock;		/* of what follows */
	struct metrics_slot found;
	uint64_t	failures;
};

static void *look_on(void *arg);
static bool look(struct watch *watch);
static bool connected(const struct watch *watch, PGconn *conn,
					  int64_t deadline);
static PGresult *ask(const struct watch *watch, PGconn *conn,
					 int64_t deadline);
static void read_slot(const PGresult *result, struct metrics_slot *slot);
static bool wait_for(const struct watch *watch, int fd, short events,
					 int64_t deadline);

struct watch *
watch_open(const struct config *config)
{
	struct watch *watch = mem_zalloc(sizeof(*watch));

	watch->config = config;
	pthread_mutex_init(&watch->lock, NULL);
	if (pipe2(watch->stop, O_CLOEXEC) != 0)
		abort();
	rlimits_thread(&watch->thread, look_on, watch);
	return watch;
}

void
watch_collect(struct watch *watch)
{
	if (!__atomic_exchange_n(&watch->fresh, false, __ATOMIC_ACQUIRE))
		return;
	pthread_mutex_lock(&watch->lock);
	metrics.slot = watch->found;
	metrics.slot_failures = watch->failures;
	pthread_mutex_unlock(&watch->lock);

	if (metrics.slot.end > metrics.server_end)
		metrics.server_end = metrics.slot.end;
	if (metrics.streaming && lag_is_caught_up(&metrics))
		metrics.caught_up_at = metrics_now();
}

void
watch_close(struct watch *watch)
{
	struct timespec end;

	if (watch == NULL)
		return;
	close(watch->stop[1]);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += CLOSE_SECONDS;
	if (pthread_clockjoin_np(watch->thread, NULL, CLOCK_MONOTONIC, &end) != 0)
		return;
	close(watch->stop[0]);
	pthread_mutex_destroy(&watch->lock);
	free(watch);
}

static void *
look_on(void *arg)
{
	struct watch *watch = arg;
	int64_t		rest = REST_MS;

	do
	{
		if (look(watch))
			rest = REST_MS;
		else
		{
			rest = rest * 2 < REST_MAX_MS ? rest * 2 : REST_MAX_MS;
			pthread_mutex_lock(&watch->lock);
			watch->failures++;
			pthread_mutex_unlock(&watch->lock);
		}
		__atomic_store_n(&watch->fresh, true, __ATOMIC_RELEASE);
	} while (!wait_for(watch, -1, 0, clock_ms() + rest) && errno == ETIMEDOUT);
	return NULL;
}

/* Whether the server could be asked. */
static bool
look(struct watch *watch)
{
	const char *const keywords[] = {
		"fallback_application_name", "dbname", "client_encoding", NULL
	};
	const char *const values[] = {
		"wal2kafka watch", watch->config->conninfo, "UTF8", NULL
	};
	int64_t		deadline = clock_ms() + LOOK_MS;
	PGconn	   *conn = PQconnectStartParams(keywords, values, 1);
	PGresult   *result = NULL;
	bool		ok = false;

	if (connected(watch, conn, deadline))
		result = ask(watch, conn, deadline);
	if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1)
	{
		struct metrics_slot slot;

		read_slot(result, &slot);
		pthread_mutex_lock(&watch->lock);
		watch->found = slot;
		pthread_mutex_unlock(&watch->lock);
		ok = true;
	}
	PQclear(result);
	PQfinish(conn);
	return ok;
}

static bool
connected(const struct watch *watch, PGconn *conn, int64_t deadline)
{
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;

	if (conn == NULL || PQstatus(conn) == CONNECTION_BAD)
		return false;
	while (status != PGRES_POLLING_OK)
	{
		if (status == PGRES_POLLING_FAILED ||
			!wait_for(watch, PQsocket(conn), status == PGRES_POLLING_READING ?
					  POLLIN : POLLOUT, deadline))
			return false;
		status = PQconnectPoll(conn);
	}
	return true;
}

static PGresult *
ask(const struct watch *watch, PGconn *conn, int64_t deadline)
{
	static const char sql[] =
		"SELECT e.lsn, s.confirmed_flush_lsn, s.active, s.wal_status,"
		" s.safe_wal_size, pg_wal_lsn_diff(e.lsn, s.restart_lsn)"
		" FROM (SELECT CASE WHEN pg_is_in_recovery()"
		" THEN pg_last_wal_replay_lsn()"
		" ELSE pg_current_wal_flush_lsn() END) AS e (lsn)"
		" LEFT JOIN pg_replication_slots s ON s.slot_name = $1";
	const char *const params[] = {watch->config->slot};

	if (PQsendQueryParams(conn, sql, 1, NULL, params, NULL, NULL, 0) != 1)
		return NULL;
	while (PQisBusy(conn))
		if (!wait_for(watch, PQsocket(conn), POLLIN, deadline) ||
			!PQconsumeInput(conn))
			return NULL;
	return PQgetResult(conn);
}

static void
read_slot(const PGresult *result, struct metrics_slot *slot)
{
	*slot = (struct metrics_slot) {
		.told_at = metrics_now(),
		.exists = !PQgetisnull(result, 0, 2),
		.active = strcmp(PQgetvalue(result, 0, 2), "t") == 0,
		.safe = -1,
		.retained = -1,
	};
	if (!lsn_parse(PQgetvalue(result, 0, 0), &slot->end))
		slot->end = LSN_INVALID;
	if (!lsn_parse(PQgetvalue(result, 0, 1), &slot->confirmed))
		slot->confirmed = LSN_INVALID;
	if (!PQgetisnull(result, 0, 4))
		slot->safe = strtoll(PQgetvalue(result, 0, 4), NULL, 10);
	if (!PQgetisnull(result, 0, 5))
		slot->retained = strtoll(PQgetvalue(result, 0, 5), NULL, 10);
	strncpy(slot->wal_status, PQgetvalue(result, 0, 3),
			sizeof(slot->wal_status) - 1);
}

/* False: too late, with errno, or the watch is over. */
static bool
wait_for(const struct watch *watch, int fd, short events, int64_t deadline)
{
	for (;;)
	{
		struct pollfd fds[2] = {{watch->stop[0], POLLIN, 0}, {fd, events, 0}};
		int64_t		left = deadline - clock_ms();

		errno = ETIMEDOUT;
		if (left <= 0)
			return false;
		if (poll(fds, 2, (int) left) < 0 && errno != EINTR)
			return false;
		errno = ECANCELED;
		if (fds[0].revents != 0)
			return false;
		if (fds[1].revents != 0)
			return true;
	}
}
