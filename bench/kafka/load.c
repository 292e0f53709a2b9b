/*
 * load.c
 *		Inserts rows when they are due, see load.h.
 *
 * Statements are sent ahead of the answers to those before (libpq's pipeline
 * mode), with a synchronization behind each: that makes it a transaction.
 */
#include "load.h"

#include <poll.h>
#include <stdio.h>
#include <time.h>

#define START_US	100000		/* until the first row is due */
#define END_US		(30 * INT64_C(1000000))

int64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t) t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t
load_due(const struct load *load, int64_t row)
{
	return load->start + row * 1000000 / load->rate;
}

static bool
fail(struct load *load, const char *message)
{
	fprintf(stderr, "load: %s", message);
	atomic_store(&load->failed, true);
	return false;
}

static bool
open_connection(struct load *load, PGconn **conn)
{
	char		sql[256];
	PGresult   *result;
	bool		ok;

	*conn = PQconnectdb(load->conninfo);
	snprintf(sql, sizeof(sql),
			 "INSERT INTO %s VALUES ($1::int, 'name ' || $1::int, now())",
			 load->table);
	result = PQprepare(*conn, "i", sql, 1, NULL);
	ok = PQresultStatus(result) == PGRES_COMMAND_OK &&
		PQsetnonblocking(*conn, 1) == 0 && PQenterPipelineMode(*conn);
	PQclear(result);
	return ok || fail(load, PQerrorMessage(*conn));
}

bool
load_open(struct load *load)
{
	for (int i = 0; i < LOAD_CONNECTIONS; i++)
		if (!open_connection(load, &load->conns[i]))
			return false;
	load->start = now_us() + START_US;
	return true;
}

static bool
send_row(struct load *load, int64_t row)
{
	int			i = (int) (row % LOAD_CONNECTIONS);
	char		number[24];
	const char *values[1] = {number};

	snprintf(number, sizeof(number), "%lld",
			 (long long) (load->first_id + row));
	if (!PQsendQueryPrepared(load->conns[i], "i", 1, values, NULL, NULL, 0) ||
		!PQpipelineSync(load->conns[i]))
		return fail(load, PQerrorMessage(load->conns[i]));
	load->waiting[i]++;
	return true;
}

/* Takes the answers that have come on a connection. */
static bool
take_answers(struct load *load, int i)
{
	PGconn	   *conn = load->conns[i];

	if (!PQconsumeInput(conn) || PQflush(conn) < 0)
		return fail(load, PQerrorMessage(conn));
	while (load->waiting[i] > 0 && !PQisBusy(conn))
	{
		PGresult   *result = PQgetResult(conn);
		ExecStatusType status = PQresultStatus(result);

		PQclear(result);
		if (result && status == PGRES_PIPELINE_SYNC)
			load->waiting[i]--;
		else if (result && status != PGRES_COMMAND_OK)
			return fail(load, PQerrorMessage(conn));
	}
	return true;
}

/* Waits until a time for answers, or for room to send. */
static bool
wait_until(struct load *load, int64_t until)
{
	struct pollfd fds[LOAD_CONNECTIONS];
	int64_t		left = until - now_us();
	struct timespec timeout;

	if (left < 0)
		left = 0;
	timeout.tv_sec = left / 1000000;
	timeout.tv_nsec = left % 1000000 * 1000;
	for (int i = 0; i < LOAD_CONNECTIONS; i++)
	{
		fds[i].fd = PQsocket(load->conns[i]);
		fds[i].events = POLLIN;
		if (PQflush(load->conns[i]) == 1)
			fds[i].events |= POLLOUT;
	}
	if (ppoll(fds, LOAD_CONNECTIONS, &timeout, NULL) <= 0)
		return true;
	for (int i = 0; i < LOAD_CONNECTIONS; i++)
		if (fds[i].revents && !take_answers(load, i))
			return false;
	return true;
}

static bool
answered(const struct load *load)
{
	for (int i = 0; i < LOAD_CONNECTIONS; i++)
		if (load->waiting[i] > 0)
			return false;
	return true;
}

void *
load_run(void *arg)
{
	struct load *load = arg;
	int64_t		next = 0;
	int64_t		end = load_due(load, load->rows) + END_US;
	bool		ok = true;

	while (ok && now_us() < end &&
		   (next < load->rows || !answered(load)))
	{
		while (ok && next < load->rows && load_due(load, next) <= now_us())
			ok = send_row(load, next++);
		ok = ok && wait_until(load, next < load->rows ?
							  load_due(load, next) : now_us() + 1000);
	}
	for (int i = 0; i < LOAD_CONNECTIONS; i++)
		PQfinish(load->conns[i]);
	return NULL;
}
