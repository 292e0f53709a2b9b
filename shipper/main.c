/*
 * main.c
 *		The command line: which subcommand, with which config.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "check.h"
#include "config.h"
#include "conninfo.h"
#include "earlier.h"
#include "http.h"
#include "log.h"
#include "mem.h"
#include "property.h"
#include "rlimits.h"
#include "run.h"
#include "setup.h"
#include "snapshot_command.h"
#include "status.h"

static enum exit_status command_init(const struct config *, struct args *);
static enum exit_status command_run(const struct config *, struct args *);
static enum exit_status command_check(const struct config *, struct args *);
static enum exit_status command_status(const struct config *, struct args *);
static enum exit_status command_snapshot(const struct config *,
										 struct args *);
static enum exit_status command_drop(const struct config *, struct args *);

static const struct command commands[] = {
	{"init", FOR_INIT, command_init, false, false,
	"create the slot, and the publication if the config says of what"},
	{"run", FOR_RUN, command_run, false, false,
	"send changes until asked to stop (SIGTERM, SIGINT)"},
	{"check", FOR_CHECK, command_check, false, false,
	"list what is wrong on either side, each with its remedy"},
	{"status", FOR_STATUS, command_status, false, false,
	"show the slot, how far it is behind, and the versions"},
	{"snapshot", FOR_SNAPSHOT, command_snapshot, true, true,
	"have \"run\" send the rows that tables have already: [TABLE]..."},
	{"drop", FOR_DROP, command_drop, false, false,
	"drop the slot; changes not sent yet are lost to Kafka"},
};

#define COMMAND_COUNT	(sizeof(commands) / sizeof(commands[0]))

static void
print_help(void)
{
	puts("wal2kafka sends committed changes of a PostgreSQL database to "
		 "Kafka.\n\nUsage: wal2kafka COMMAND [OPTION]...\n\nCommands:");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("  %-8s %s\n", commands[i].name, commands[i].help);
	args_help(commands, COMMAND_COUNT);
	puts("\nEvery key of the config can be set in the environment, as in\n"
		 "WAL2KAFKA_POSTGRES_CONNINFO or WAL2KAFKA_KAFKA_SASL_PASSWORD_FILE "
		 "(read from\na file).\n\n"
		 "Exit status: 0 done or asked to stop, 1 command line or config, "
		 "2 worth a\nrestart, 3 needs a person.\n\n"
		 "wal2kafka(1) has the rest.");
}

static enum exit_status
usage(void)
{
	log_hint("Try \"wal2kafka --help\".");
	return EXIT_USAGE;
}

static enum exit_status
command_init(const struct config *cfg, struct args *args)
{
	struct run_wish wish = {.leave = true};
	enum exit_status status;

	if (args->snapshot && !rlimits_raise())
		return EXIT_USAGE;
	status = setup_init(cfg, false, args->snapshot ? &wish.made : NULL);
	if (!args->snapshot || status != EXIT_ASKED)
		return status;
	if (wish.made.conn != NULL)
		_exit(run(cfg, &wish));
	log_error("the slot was there already: its rows cannot be copied as they "
			  "were when it was made");
	log_hint("Run \"wal2kafka snapshot\" while \"wal2kafka run\" streams.");
	return EXIT_PERSON;
}

/*
 * A thread may be left that waits for a name service or for Kafka: nothing of
 * it is freed, and exit() would tear its libraries down under it.
 */
static enum exit_status
command_run(const struct config *cfg, struct args *args)
{
	struct run_wish wish = {.all = args->snapshot};

	if (args->snapshot && !args->init)
	{
		log_error("\"--snapshot\" goes with \"--init\"");
		log_hint("\"wal2kafka snapshot\" copies tables of a slot that is "
				 "there, while \"wal2kafka run\" streams.");
		return EXIT_USAGE;
	}
	if (!rlimits_raise())
		return EXIT_USAGE;
	if (args->init)
	{
		enum exit_status status = setup_init(cfg, true, args->snapshot ?
											 &wish.made : NULL);

		if (status != EXIT_ASKED)
			return status;
	}
	_exit(run(cfg, &wish));
}

static enum exit_status
command_check(const struct config *cfg, struct args *args)
{
	return check_all(cfg, args->tables);
}

static enum exit_status
command_status(const struct config *cfg, struct args *args)
{
	return status_print(cfg, args->json);
}

static enum exit_status
command_drop(const struct config *cfg, struct args *args)
{
	if (args->state)
		return earlier_drop(cfg);
	return setup_drop(cfg, args->yes, args->publication);
}

static enum exit_status
command_snapshot(const struct config *cfg, struct args *args)
{
	struct snapshot_request wish = {
		.command = args->deed != NULL ? args->deed : "snapshot",
		.tables = args->operands,
		.table_count = args->operand_count,
		.wait = args->deed == NULL && !args->no_wait,
		.json = args->json,
	};

	return snapshot_command(cfg, &wish);
}

static enum exit_status
act(const struct command *command, int argc, char **argv)
{
	struct args args = {0};
	struct config cfg;
	enum exit_status result;
	char	   *error;

	if (!args_parse(&args, command, argc, argv))
	{
		free(args.properties);
		return usage();
	}

	/* row data and secrets pass through here; root adds nothing but risk */
	if (geteuid() == 0 && !command->root)
	{
		log_error("wal2kafka does not run as root");
		log_hint("Run it as an ordinary user, as in "
				 "\"runuser -u wal2kafka -- wal2kafka %s\".", command->name);
		free(args.properties);
		return EXIT_USAGE;
	}

	error = config_load(&cfg, args.config, args.properties);
	free(args.properties);
	if (error == NULL && cfg.sink == SINK_KAFKA)
		error = property_check(&cfg);
	if (error != NULL)
	{
		log_error("%s", error);
		free(error);
		result = EXIT_USAGE;
	}
	else
	{
		log_open(cfg.log_format == 1, (enum log_level) cfg.log_level);
		conninfo_defaults(&cfg);
		result = command->act(&cfg, &args);
	}
	config_free(&cfg);
	return result;
}

/* --help and such anywhere win over everything else. */
static bool
asked_for_words(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
	{
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0 ||
			(i == 1 && strcmp(argv[i], "help") == 0))
			print_help();
		else if (strcmp(argv[i], "--version") == 0 ||
				 strcmp(argv[i], "-V") == 0)
			printf("wal2kafka " WAL2KAFKA_VERSION "\n%s libmicrohttpd (\"http\")"
				   "\n", http_is_built() ? "with" : "without");
		else if (strcmp(argv[i], "--keys") == 0)
			config_help(stdout);
		else
			continue;
		return true;
	}
	return false;
}

int
main(int argc, char **argv)
{
	if (asked_for_words(argc, argv))
		return EXIT_ASKED;
	if (argc < 2)
	{
		log_error("no command given");
		return usage();
	}
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return act(&commands[i], argc - 1, argv + 1);
	log_error(argv[1][0] == '-' ? "a command must come before \"%s\"" :
			  "unknown command \"%s\"", argv[1]);
	return usage();
}
