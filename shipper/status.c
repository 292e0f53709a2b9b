/*
 * status.c
 *		How far the slot is, on standard output.
 */
#include "status.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "control_client.h"
#include "log.h"
#include "mem.h"
#include "server.h"
#include "slot.h"
#include "snapshot_text.h"

struct status
{
	struct slot slot;
	const char *name;
	const char *publication;
	char	   *fault;			/* what keeps a shipper from streaming, or
								 * NULL */
	char	   *remedy;
	char	   *server;			/* versions; extension "" if not installed */
	char	   *extension;
	json_t	   *shipper;		/* what it answers, or NULL: nobody does */
};

/* One JSON string, with its quotes. */
static void
put_json(const char *text)
{
	putchar('"');
	for (const unsigned char *c = (const unsigned char *) text; *c; c++)
	{
		if (*c == '"' || *c == '\\')
			printf("\\%c", *c);
		else if (*c < 0x20)
			printf("\\u%04x", *c);
		else
			putchar(*c);
	}
	putchar('"');
}

static void
put_member(const char *name, const char *text)
{
	printf(",\"%s\":", name);
	if (text == NULL || *text == '\0')
		fputs("null", stdout);
	else
		put_json(text);
}

static void
put_number(const char *name, int64_t number)
{
	printf(",\"%s\":", name);
	if (number < 0)
		fputs("null", stdout);
	else
		printf("%" PRId64, number);
}

static void
put_object(const char *name, const json_t *object)
{
	printf(",\"%s\":", name);
	if (object == NULL)
		fputs("null", stdout);
	else
		json_dumpf(object, stdout, JSON_COMPACT);
}

static void
print_json(const struct status *st)
{
	const struct slot *slot = &st->slot;

	fputs("{\"slot\":", stdout);
	put_json(st->name);
	printf(",\"exists\":%s", slot->exists ? "true" : "false");
	printf(",\"active\":%s", slot->active ? "true" : "false");
	put_number("active_pid", slot->active ? slot->pid : -1);
	put_member("confirmed_flush_lsn", slot->confirmed);
	put_number("lag_bytes", slot->exists ? slot->lag : -1);
	put_member("restart_lsn", slot->restart);
	put_number("retained_bytes", slot->exists ? slot->retained : -1);
	put_member("wal_status", slot->wal_status);
	put_member("fault", st->fault);
	put_member("publication", st->publication);
	put_member("server_version", st->server);
	put_member("extension_version", st->extension);
	put_member("wal2kafka_version", WAL2KAFKA_VERSION);
	put_object("shipper", st->shipper);
	puts("}");
}

static void
print_slot(const struct slot *slot)
{
	char	   *lag = slot_bytes(slot->lag);
	char	   *retained = slot_bytes(slot->retained);

	if (slot->active)
		printf("read by      process %" PRId64 "\n", slot->pid);
	else
		puts("read by      nobody");
	printf("confirmed    %s, %s behind\n",
		   *slot->confirmed ? slot->confirmed : "nothing yet", lag);
	printf("restart      %s, %s of WAL kept\n",
		   *slot->restart ? slot->restart : "unknown", retained);
	printf("WAL status   %s\n",
		   *slot->wal_status ? slot->wal_status : "unknown");
	free(lag);
	free(retained);
}

/* Who may not ask it sees nothing of it. */
static void
print_shipper(const json_t *shipper)
{
	const char *program = json_string_value(json_object_get(shipper,
															"program"));
	const json_t *snapshot = json_object_get(shipper, "snapshot");
	char	   *line;

	printf("shipper      process %" JSON_INTEGER_FORMAT ", wal2kafka %s\n",
		   json_integer_value(json_object_get(shipper, "pid")),
		   program != NULL ? program : "of an unknown version");
	if (snapshot == NULL)
		return;					/* an older one */
	line = snapshot_text_line(snapshot);
	printf("snapshot     %s\n", line);
	snapshot_text_tables(stdout, snapshot, false);
	free(line);
}

static void
print_text(const struct status *st)
{
	printf("slot         %s%s\n", st->name,
		   st->slot.exists ? "" : ", which does not exist");
	if (st->slot.exists)
		print_slot(&st->slot);
	printf("publication  %s\n",
		   *st->publication ? st->publication : "none: every table");
	printf("server       PostgreSQL %s\n", st->server);
	printf("extension    %s\n",
		   *st->extension ? st->extension : "not installed (not needed)");
	puts("program      wal2kafka " WAL2KAFKA_VERSION);
	if (st->shipper != NULL)
		print_shipper(st->shipper);
}

/* Fills in all but what the config knows; false if a query failed. */
static bool
collect(struct server *server, struct status *st)
{
	struct rows *rows;

	rows = server_ask(server, "read the server's version",
					  "SELECT current_setting('server_version'),"
					  " coalesce((SELECT extversion FROM pg_extension"
					  "  WHERE extname = 'wal2kafka'), '')", 0, NULL);
	if (rows == NULL)
		return false;
	st->server = mem_strdup(rows_text(rows, 0, 0));
	st->extension = mem_strdup(rows_text(rows, 0, 1));
	rows_free(rows);
	if (!slot_read(server, st->name, &st->slot))
		return false;
	st->fault = slot_fault(&st->slot, st->name, server, &st->remedy);
	return true;
}

/* The shipper of this slot, if it answers on this machine. */
static json_t *
ask_shipper(const struct config *cfg)
{
	json_t	   *answer = NULL;
	char	   *error = NULL;

	control_ask(cfg, json_pack("{s:s}", "command", "status"), &answer, &error);
	free(error);
	if (json_is_true(json_object_get(answer, "ok")))
	{
		json_object_del(answer, "ok");
		return answer;
	}
	json_decref(answer);
	return NULL;
}

enum exit_status
status_print(const struct config *cfg, bool json)
{
	struct status st = {.name = cfg->slot, .publication = cfg->publication};
	enum exit_status result;
	struct server *server = server_open(cfg, &result);

	if (server == NULL)
		return result;
	if (!collect(server, &st))
		result = server_status(server);
	else
	{
		st.shipper = ask_shipper(cfg);
		if (json)
			print_json(&st);
		else
			print_text(&st);
		fflush(stdout);
		if (st.fault != NULL)
		{
			log_error("%s", st.fault);
			log_hint("%s", st.remedy);
			result = EXIT_PERSON;
		}
	}
	server_close(server);
	slot_free(&st.slot);
	free(st.fault);
	free(st.remedy);
	free(st.server);
	free(st.extension);
	json_decref(st.shipper);
	return result;
}
