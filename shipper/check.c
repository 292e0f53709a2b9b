/*
 * check.c
 *		Everything that would keep changes from reaching Kafka, in one pass.
 *
 * A problem stops or falsifies the stream, or an application; a warning is
 * something that a reader of the topics should know.
 */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>

#include "capture.h"
#include "capture_check.h"
#include "decoding_check.h"
#include "names.h"
#include "publication_check.h"
#include "report.h"
#include "server.h"
#include "sink_check.h"
#include "snapshot_check.h"

static void
print_tables(const struct capture *capture)
{
	puts("\nTABLE -> TOPIC (source), KEY (source)");
	for (size_t i = 0; i < capture->count; i++)
	{
		const struct captured *table = &capture->table[i];
		char	   *key = names_join(&table->key, ",");

		printf("%s -> %s (%s), %s (%s)\n", table->shown, table->topic,
			   table->topic_from, *key ? key : "no key", table->key_from);
		free(key);
	}
	putchar('\n');
}

enum exit_status
check_all(const struct config *cfg, bool tables)
{
	struct report report = {0};
	struct capture capture = {0};
	enum exit_status status;
	struct server *server;

	/* so that lines of the log stand where they belong */
	setvbuf(stdout, NULL, _IOLBF, 0);
	server = server_open(cfg, &status);
	if (server != NULL)
	{
		report_ok(&report, "PostgreSQL %d.%d, database \"%s\", role \"%s\"",
				  server_version(server) / 10000,
				  server_version(server) % 10000, server_database(server),
				  server_user(server));
		decoding_check(server, cfg, &report);
		publication_check(server, cfg, &report);
		if (capture_read(server, cfg, &report, &capture))
		{
			capture_check(cfg, &capture, &report);
			snapshot_check(server, cfg, &capture, &report);
		}
	}
	else
		report_problem(&report, "PostgreSQL cannot be asked (see above)");
	sink_check(cfg, &capture, &report);
	if (tables && server != NULL)
		print_tables(&capture);
	report_end(&report);

	capture_free(&capture);
	server_close(server);
	if (report.problems > 0)
		return status == EXIT_USAGE ? EXIT_USAGE : EXIT_PERSON;
	return EXIT_ASKED;
}
