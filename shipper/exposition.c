/*
 * exposition.c
 *		Metrics as text that Prometheus reads.
 *
 * Names, once published, stay: alarms are built on them.  Counters end in
 * _total, and units are seconds and bytes.  Label values are the only text
 * that we did not write; they are escaped, and limited in number where the
 * struct is.
 */
#include "exposition.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include "lag.h"
#include "mem.h"
#include "ready.h"

#define PREFIX	"wal2kafka_"
#define US		1e6

/* A field that has a line of its own. */
struct row
{
	const char *name;
	bool		counter;
	size_t		offset;			/* of a uint64_t */
	const char *help;
};

#define FIELD(field)	offsetof(struct metrics, field)

static const struct row rows[] = {
	{"frames_received", true, FIELD(frames),
	"Messages from the server, each of many records."},
	{"received_bytes", true, FIELD(frame_bytes),
	"Bytes of those messages."},
	{"records_received", true, FIELD(received),
	"Records received from the server, those sent again after a reconnect "
	"included."},
	{"records_repeated", true, FIELD(repeated),
	"Records received again and not sent again, since they were acknowledged "
	"before."},
	{"records_produced", true, FIELD(produced),
	"Deliveries begun; a record for every partition is many, and those that "
	"are sent again count again."},
	{"records_acknowledged", true, FIELD(acknowledged),
	"Deliveries acknowledged by Kafka."},
	{"records_failed", true, FIELD(failed),
	"Deliveries that failed or were called back; all of them are sent again."},
	{"records_outstanding", false, FIELD(outstanding),
	"Deliveries of received records that are not acknowledged."},
	{"outstanding_bytes", false, FIELD(outstanding_bytes),
	"Memory held by messages that are not acknowledged as a whole."},
	{"confirmed_lsn", false, FIELD(confirmed),
	"Position in the log up to which everything is delivered, as last told "
	"to the server."},
	{"server_lsn", false, FIELD(server_end),
	"End of the server's log, as far as known."},
	{"truncates_skipped", true, FIELD(truncates),
	"TRUNCATEs that consumers were not told of, those received again "
	"included."},
	{"stubs", true, FIELD(stubs),
	"Records sent without the columns that were in the way."},
	{"records_dropped", true, FIELD(dropped),
	"Records that could not even be sent as stubs, dropped as asked; those "
	"received again included."},
	{"changes_without_identity", true, FIELD(no_identity),
	"Updates and deletes that name no row, for want of a replica identity; "
	"those received again included."},
	{"messages_ignored", true, FIELD(no_messages),
	"Messages that emit_message() did not write, and that cannot be read."},
	{"slot_look_failures", true, FIELD(slot_failures),
	"Times that the server could not be asked for the slot."},
	{"streams_started", true, FIELD(streams),
	"Times that streaming from the server began: reconnects, plus one."},
	{"takeovers", true, FIELD(takeovers),
	"Times that this program took the slot over from another."},
	{"state_writes", true, FIELD(state_writes),
	"Times that the state record was written."},
	{"state_write_failures", true, FIELD(state_failures),
	"Times that it could not be: the slot is not confirmed until it is."},
	{"kafka_transactions_committed", true, FIELD(transactions_committed),
	"Kafka transactions committed, with processing_guarantee = exactly_once."},
	{"kafka_transactions_failed", true, FIELD(transactions_failed),
	"Kafka transactions that could not be begun or committed."},
	{"snapshot_rows", true, FIELD(snapshot_rows),
	"Rows that snapshots copied, acknowledged by Kafka."},
	{"snapshot_rounds", true, FIELD(snapshot_rounds),
	"Times that the stream was held for rows of a snapshot."},
	{"snapshot_estimated_rows", false, FIELD(snapshot_estimate),
	"Rows of all tables of the snapshot, by the server's estimate."},
};

static const char *const reactions[REACTION_COUNT] = {
	[REACTION_RETRY] = "retry",
	[REACTION_REPEAT] = "unexpected",
	[REACTION_TRANSIENT] = "passing",
	[REACTION_WAIT] = "server_stopping",
	[REACTION_STANDBY] = "slot_in_use",
	[REACTION_CONFIG] = "refused",
	[REACTION_PERSON] = "hopeless",
};

static const char *const restarts[RESTART_COUNT] = {
	[RESTART_DELIVERY] = "delivery_failed",
	[RESTART_REFUSED] = "record_refused",
	[RESTART_FATAL] = "producer_fatal",
	[RESTART_LIMIT] = "smaller_batches",
	[RESTART_TOPIC] = "topic",
	[RESTART_FILE] = "file",
	[RESTART_FRAME] = "bad_frame",
	[RESTART_OPEN] = "not_opened",
	[RESTART_TRANSACTION] = "transaction",
};

static void put_head(FILE *out, const char *name, const char *type,
					 const char *help);
static void put_rows(FILE *out, const struct metrics *from);
static void put_times(FILE *out, const struct metrics *from);
static void put_time(FILE *out, const char *name, double seconds,
					 const char *help);
static void put_slot(FILE *out, const struct metrics_slot *slot);
static void put_number(FILE *out, const char *name, double number,
					   const char *help);
static void put_snapshot(FILE *out, const struct metrics *from);
static void put_ready(FILE *out);
static void put_reasons(FILE *out, const struct metrics *from);
static void put_kafka_errors(FILE *out, const struct metrics *from);
static void put_tables(FILE *out, const struct metrics *from);
static void put_histogram(FILE *out, const char *name, const char *help,
						  const struct metrics_histogram *histogram);
static void put_label(FILE *out, const char *value);

char *
exposition_text(const struct metrics *from)
{
	char	   *text = NULL;
	size_t		size;
	FILE	   *out = open_memstream(&text, &size);

	if (out == NULL)
		abort();
	put_head(out, "build_info", "gauge", "Versions; the value is always 1.");
	fprintf(out, PREFIX "build_info{version=\"" WAL2KAFKA_VERSION
			"\",librdkafka=\"%s\"} 1\n", rd_kafka_version_str());
	put_ready(out);
	put_rows(out, from);
	put_times(out, from);
	put_slot(out, &from->slot);
	put_snapshot(out, from);
	put_reasons(out, from);
	put_kafka_errors(out, from);
	put_histogram(out, "commit_latency_seconds", "From commit to "
				  "acknowledgement of everything up to the end of a message, "
				  "by the two machines' clocks.", &from->commit_latency);
	put_histogram(out, "receive_latency_seconds", "From receiving a message "
				  "to acknowledgement of everything up to its end.",
				  &from->receive_latency);
	put_tables(out, from);
	if (fclose(out) != 0)
		abort();
	return text;
}

static void
put_head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name,
			help, name, type);
}

static void
put_rows(FILE *out, const struct metrics *from)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		const struct row *row = &rows[i];
		char		name[64];

		snprintf(name, sizeof(name), "%s%s", row->name,
				 row->counter ? "_total" : "");
		put_head(out, name, row->counter ? "counter" : "gauge", row->help);
		fprintf(out, PREFIX "%s %" PRIu64 "\n", name,
				*(const uint64_t *) ((const char *) from + row->offset));
	}
}

static void
put_times(FILE *out, const struct metrics *from)
{
	put_number(out, "lag_bytes", lag_bytes(from), "Bytes of the server's log "
			   "that are not confirmed.");
	put_time(out, "lag_seconds", lag_seconds(from, metrics_now()),
			 "How long ago what waits was committed, as far as known; 0: "
			 "nothing waits.");
	put_time(out, "last_acknowledged_timestamp_seconds",
			 (double) from->acknowledged_at / US,
			 "When a record was last acknowledged; 0: never.");
	put_time(out, "last_commit_timestamp_seconds",
			 (double) from->commit_time / US, "Commit time of the last "
			 "acknowledged transaction that was made on this server.");
	put_time(out, "state_written_timestamp_seconds",
			 (double) from->state_written_at / US,
			 "When the state record was last written; 0: never.");
	put_time(out, "loop_idle_seconds", (double) ready_idle_ms() / 1000,
			 "How long ago the main loop turned; "
			 "what is told here is as old.");
}

static void
put_time(FILE *out, const char *name, double seconds, const char *help)
{
	put_head(out, name, "gauge", help);
	fprintf(out, PREFIX "%s %.6f\n", name, seconds);
}

/*
 * What is not known is not told: a series that ends is not one that is zero.
 */
static void
put_number(FILE *out, const char *name, double number, const char *help)
{
	put_head(out, name, "gauge", help);
	if (!isnan(number))
		fprintf(out, PREFIX "%s %.0f\n", name, number);
}

/* All of it as of "slot_told"; nothing if that never was. */
static void
put_slot(FILE *out, const struct metrics_slot *slot)
{
	static const char *const states[] = {
		"reserved", "extended", "unreserved", "lost"
	};

	put_time(out, "slot_told_timestamp_seconds", (double) slot->told_at / US,
			 "When the server last told of the slot; 0: never.");
	if (slot->told_at == 0)
		return;
	put_number(out, "slot_exists", slot->exists, "Whether there is a slot.");
	put_number(out, "slot_active", slot->active, "Whether it is being read.");
	put_number(out, "slot_retained_bytes", slot->retained < 0 ? NAN :
			   (double) slot->retained, "Bytes of log that the server keeps "
			   "for the slot.");
	put_number(out, "slot_safe_bytes", slot->safe < 0 ? NAN :
			   (double) slot->safe, "Bytes that can still be written before "
			   "the server may throw away what the slot needs; absent without "
			   "max_slot_wal_keep_size.");
	put_head(out, "slot_wal_status", "gauge", "The slot's wal_status: 1 for "
			 "the one that it has.");
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		fprintf(out, PREFIX "slot_wal_status{status=\"%s\"} %d\n", states[i],
				strcmp(slot->wal_status, states[i]) == 0);
}

static void
put_snapshot(FILE *out, const struct metrics *from)
{
	put_head(out, "snapshot_running", "gauge", "Whether rows of tables are "
			 "being copied; 0 too while that is paused.");
	fprintf(out, PREFIX "snapshot_running %d\n", from->snapshot_running);
	put_head(out, "snapshot_hold_seconds_total", "counter", "For how long "
			 "the stream was held for rows of a snapshot.");
	fprintf(out, PREFIX "snapshot_hold_seconds_total %.6f\n",
			(double) from->snapshot_hold_us / US);
	put_head(out, "snapshot_tables", "gauge", "Tables of the snapshot, by how "
			 "far they are.");
	for (int i = 0; i < SNAPSHOT_STATES; i++)
		fprintf(out, PREFIX "snapshot_tables{state=\"%s\"} %" PRIu64 "\n",
				snapshot_state_name((enum snapshot_table_state) i),
				from->snapshot_tables[i]);
}

static void
put_ready(FILE *out)
{
	unsigned	faults = ready_faults();

	put_head(out, "ready", "gauge", "Whether records can go from server to "
			 "Kafka now, as /ready says.");
	fprintf(out, PREFIX "ready %d\n", faults == 0);
	put_head(out, "not_ready", "gauge", "What is in the way: 1 for each "
			 "reason that holds.");
	for (int i = 0; i < READY_COUNT; i++)
		fprintf(out, PREFIX "not_ready{reason=\"%s\"} %d\n",
				ready_name((enum ready_fault) i), (faults >> i & 1) != 0);
}

static void
put_reasons(FILE *out, const struct metrics *from)
{
	put_head(out, "connection_failures_total", "counter", "Replication "
			 "connections lost or not made, by what helped.");
	for (int i = 0; i < REACTION_COUNT; i++)
		fprintf(out, PREFIX "connection_failures_total{reason=\"%s\"} %"
				PRIu64 "\n", reactions[i], from->losses[i]);
	put_head(out, "producer_restarts_total", "counter", "Times that all that "
			 "was not acknowledged was sent again by a new producer, by "
			 "reason.");
	for (int i = 0; i < RESTART_COUNT; i++)
		fprintf(out, PREFIX "producer_restarts_total{reason=\"%s\"} %" PRIu64
				"\n", restarts[i], from->restarts[i]);
	put_head(out, "standby", "gauge", "Whether this program waits for "
			 "another to leave the slot.");
	fprintf(out, PREFIX "standby %d\n", from->standby);
}

static void
put_kafka_errors(FILE *out, const struct metrics *from)
{
	put_head(out, "kafka_errors_total", "counter",
			 "Errors that librdkafka told of, by its name for them.");
	for (int i = 0; i < METRICS_KINDS_MAX; i++)
		if (from->kafka_errors[i].name != NULL)
			fprintf(out, PREFIX "kafka_errors_total{kind=\"%s\"} %" PRIu64
					"\n", from->kafka_errors[i].name,
					from->kafka_errors[i].count);
	fprintf(out, PREFIX "kafka_errors_total{kind=\"other\"} %" PRIu64 "\n",
			from->kafka_errors[METRICS_KINDS_MAX].count);
}

static void
put_tables(FILE *out, const struct metrics *from)
{
	put_head(out, "table_records_total", "counter", "Records of a table, "
			 "repeats left out.  The first 1000 tables are told apart.");
	for (size_t i = 0; i < from->table_count; i++)
	{
		fputs(PREFIX "table_records_total{schema=\"", out);
		put_label(out, from->tables[i].schema);
		fputs("\",table=\"", out);
		put_label(out, from->tables[i].name);
		fprintf(out, "\"} %" PRIu64 "\n", from->tables[i].records);
	}
	/* no table is called so: both names would have to be empty */
	fprintf(out, PREFIX "table_records_total{schema=\"\",table=\"other\"} %"
			PRIu64 "\n", from->tables[METRICS_TABLES_MAX].records);
}

static void
put_histogram(FILE *out, const char *name, const char *help,
			  const struct metrics_histogram *histogram)
{
	uint64_t	count = 0;

	put_head(out, name, "histogram", help);
	for (int i = 0; i < METRICS_BUCKETS; i++)
	{
		count += histogram->buckets[i];
		fprintf(out, PREFIX "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name,
				(double) metrics_bounds[i] / US, count);
	}
	count += histogram->buckets[METRICS_BUCKETS];
	fprintf(out, PREFIX "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, count);
	fprintf(out, PREFIX "%s_sum %.6f\n", name, (double) histogram->sum / US);
	fprintf(out, PREFIX "%s_count %" PRIu64 "\n", name, count);
}

/* Names are UTF-8 without NULs; Prometheus wants three characters escaped. */
static void
put_label(FILE *out, const char *value)
{
	for (; *value != '\0'; value++)
		if (*value == '\n')
			fputs("\\n", out);
		else
		{
			if (*value == '"' || *value == '\\')
				fputc('\\', out);
			fputc(*value, out);
		}
}
