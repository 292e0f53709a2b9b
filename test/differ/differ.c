/*
 * differ.c
 *		Decodes a slot's WAL twice, by wal2kafka and by pgoutput, and compares
 *		change by change; or twice by wal2kafka, warm and cold.
 *
 *	differ [OPTION]... CONNINFO SLOT PUBLICATIONS
 *		--with=pgoutput			(default) what may differ: see compare.c
 *		--with=cold-pgoutput	a new session for every transaction
 *		--with=cold				wal2kafka again, a new session for every
 *								transaction: the same bytes.  For publications
 *								and schemas that change under open
 *								transactions, where pgoutput is not
 *								deterministic.
 *		--walsender				read wal2kafka by the replication protocol
 *		--our-publications=LIST	other publications for wal2kafka
 *		--replay				apply the five fields to tables in memory and
 *								compare these with the source's, see replay.c
 *		--doctor=TREATMENT		falsify one record first, see doctor.c
 *		--treatments			print the names of all treatments
 *
 * The slot stays where it is.  pgoutput is read under the settings that the
 * plugin pins, the plugin under hostile ones.  Prints what was compared and
 * each difference with its place; status 0: equal, 1: not, 2: not compared,
 * 3: there was nothing to doctor.
 */
#include <getopt.h>
#include <stdint.h>
#include <string.h>

#include <libpq-fe.h>

#include "../../shipper/lsn.h"
#include "compare.h"
#include "die.h"
#include "doctor.h"
#include "replay.h"

#define STATUS_DIFFERENT	1
#define STATUS_HEALTHY		3

#define PINNED \
	"SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres';" \
	"SET TimeZone = 'UTC'; SET bytea_output = 'hex';" \
	"SET extra_float_digits = 1; SET lc_monetary = 'C';" \
	"SET quote_all_identifiers = off; SET search_path = ''"

#define HOSTILE \
	"SET DateStyle = 'German'; SET IntervalStyle = 'sql_standard';" \
	"SET TimeZone = 'Asia/Kathmandu'; SET bytea_output = 'escape';" \
	"SET extra_float_digits = -15; SET quote_all_identifiers = on;" \
	"SET search_path = public, pg_catalog;" \
	"SET logical_decoding_work_mem = '64kB'"

enum with
{
	WITH_PGOUTPUT,
	WITH_COLD_PGOUTPUT,
	WITH_COLD,
};

struct wish
{
	enum with	with;
	bool		walsender;
	const char *conninfo;
	const char *slot;
	const char *publications;
	const char *our_publications;
	struct doctor *doctor;
	struct replay *replay;
};

static void parse_options(struct wish *wish, int argc, char **argv);
static void usage(void);
static enum with parse_with(const char *name);
static void print_treatments(void);
static char *end_of_wal(const char *conninfo);

int
main(int argc, char **argv)
{
	struct wish wish = {0};
	struct comparison comparison = {0};
	char	   *upto;
	lsn_t		end = LSN_INVALID;
	bool		treated = true;

	parse_options(&wish, argc, argv);
	upto = end_of_wal(wish.conninfo);

	const char *our_options[] = {
		"proto_version", "1", "publication_names", wish.our_publications,
		"truncate", "emit", "include_xid", "on", NULL
	};
	const char *their_options[] = {
		"proto_version", "1", "publication_names", wish.publications, NULL
	};
	struct source_plan our_plan = {
		.conninfo = wish.conninfo,
		.slot = wish.slot,
		.plugin = "wal2kafka",
		.upto = upto,
		.settings = HOSTILE,
		.options = our_options,
		.kind = wish.walsender ? SOURCE_WALSENDER : SOURCE_SQL,
	};
	struct source_plan other_plan = our_plan;

	if (wish.walsender)
		(void) lsn_parse(upto, &end);
	if (wish.replay)
	{
		comparison.each = replay_apply;
		comparison.arg = wish.replay;
	}
	comparison.ours = records_open(source_open(&our_plan), end, wish.doctor);
	if (wish.with != WITH_PGOUTPUT)
		other_plan.kind = SOURCE_COLD;
	else
		other_plan.kind = SOURCE_SQL;
	if (wish.with == WITH_COLD)
	{
		struct records *again = records_open(source_open(&other_plan), 0,
											 NULL);

		compare_with_ours(&comparison, again);
		records_close(again);
	}
	else
	{
		other_plan.plugin = "pgoutput";
		other_plan.options = their_options;
		other_plan.settings = PINNED;
		comparison.theirs = pgoutput_open(source_open(&other_plan));
		compare_with_pgoutput(&comparison);
		pgoutput_close(comparison.theirs);
	}
	records_close(comparison.ours);
	comparison_report(&comparison);
	if (wish.replay)
	{
		comparison.differences += replay_compare(wish.replay, wish.conninfo,
												 PINNED, wish.publications);
		replay_close(wish.replay);
	}
	if (wish.doctor)
		treated = doctor_close(wish.doctor);
	free(upto);
	if (!treated)
		return STATUS_HEALTHY;
	return comparison.differences ? STATUS_DIFFERENT : 0;
}

static void
parse_options(struct wish *wish, int argc, char **argv)
{
	static const struct option options[] = {
		{"with", required_argument, NULL, 'w'},
		{"walsender", no_argument, NULL, 's'},
		{"our-publications", required_argument, NULL, 'p'},
		{"replay", no_argument, NULL, 'r'},
		{"doctor", required_argument, NULL, 'd'},
		{"treatments", no_argument, NULL, 't'},
		{0},
	};
	int			option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (option)
		{
			case 'w':
				wish->with = parse_with(optarg);
				break;
			case 's':
				wish->walsender = true;
				break;
			case 'p':
				wish->our_publications = optarg;
				break;
			case 'r':
				wish->replay = replay_open();
				break;
			case 'd':
				wish->doctor = doctor_open(optarg);
				if (wish->doctor == NULL)
					die("no treatment \"%s\"", optarg);
				break;
			case 't':
				print_treatments();
				exit(0);
			default:
				usage();
		}
	if (argc - optind != 3)
		usage();
	wish->conninfo = argv[optind];
	wish->slot = argv[optind + 1];
	wish->publications = argv[optind + 2];
	if (wish->our_publications == NULL)
		wish->our_publications = wish->publications;
}

static void
usage(void)
{
	die("usage: differ [--with=pgoutput|cold-pgoutput|cold] [--walsender]"
		" [--our-publications=LIST] [--replay] [--doctor=TREATMENT]"
		" CONNINFO SLOT PUBLICATIONS");
}

static enum with
parse_with(const char *name)
{
	if (strcmp(name, "cold-pgoutput") == 0)
		return WITH_COLD_PGOUTPUT;
	if (strcmp(name, "cold") == 0)
		return WITH_COLD;
	if (strcmp(name, "pgoutput") != 0)
		usage();
	return WITH_PGOUTPUT;
}

static void
print_treatments(void)
{
	for (const char *const *name = doctor_treatments(); *name; name++)
		puts(*name);
}

/* All that was committed before, and flushed. */
static char *
end_of_wal(const char *conninfo)
{
	PGconn	   *conn = PQconnectdb(conninfo);
	PGresult   *result;
	char	   *end;

	if (PQstatus(conn) != CONNECTION_OK)
		die("%s", PQerrorMessage(conn));
	PQclear(PQexec(conn, "SELECT pg_logical_emit_message(true, '', '')"));
	result = PQexec(conn, "SELECT pg_current_wal_flush_lsn()");
	if (PQntuples(result) != 1)
		die("%s", PQerrorMessage(conn));
	end = strdup(PQgetvalue(result, 0, 0));
	PQclear(result);
	/* what wakes a walsender up, behind that end */
	PQclear(PQexec(conn, "SELECT pg_logical_emit_message(true, '', '')"));
	PQfinish(conn);
	return end;
}
