/*
 * main.c
 *		The command line: which subcommand, with which config.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

struct args
{
	const char *config;			/* NULL: the default */
	const char **properties;	/* -X, ended by NULL */
	size_t		property_count;
	bool		init;
	bool		snapshot;
	bool		yes;
	bool		publication;
	bool		state;
	bool		json;
	bool		tables;
	bool		no_wait;
	const char *deed;			/* of "snapshot"; NULL: to take one */
	char	  **operands;		/* what is no option, borrowed */
	size_t		operand_count;
};

enum
{
	OPT_INIT = 256,
	OPT_SNAPSHOT,
	OPT_YES,
	OPT_PUBLICATION,
	OPT_STATE,
	OPT_JSON,
	OPT_TABLES,
	OPT_NO_WAIT,
	OPT_STATUS,
	OPT_PAUSE,
	OPT_RESUME,
	OPT_CANCEL,
	OPT_KEYS,
	OPT_HELP,
	OPT_VERSION,
};

/* which subcommands take an option */
enum
{
	FOR_INIT = 1,
	FOR_RUN = 2,
	FOR_CHECK = 4,
	FOR_STATUS = 8,
	FOR_DROP = 16,
	FOR_SNAPSHOT = 32,
	FOR_ALL = 63,
};

static enum exit_status command_init(const struct config *, struct args *);
static enum exit_status command_run(const struct config *, struct args *);
static enum exit_status command_check(const struct config *, struct args *);
static enum exit_status command_status(const struct config *, struct args *);
static enum exit_status command_snapshot(const struct config *,
										 struct args *);
static enum exit_status command_drop(const struct config *, struct args *);

static const struct command
{
	const char *name;
	int			bit;
	enum exit_status (*act) (const struct config *, struct args *);
	bool		operands;		/* takes words that are no options */
	bool		root;			/* may do it: it does no work itself */
	const char *help;
}			commands[] = {
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

static const struct
{
	const char *name;
	int			value;
	int			takes;			/* subcommands, or 0 for a word of its own */
	const char *argument;
	const char *help;
}			switches[] = {
	{"config", 'c', FOR_ALL, "FILE",
	"config file (" CONFIG_DEFAULT_PATH ")"},
	{"property", 'X', FOR_ALL, "NAME=VALUE", "Kafka property; wins"},
	{"init", OPT_INIT, FOR_RUN, NULL, "do init first"},
	{"snapshot", OPT_SNAPSHOT, FOR_INIT | FOR_RUN, NULL,
	"with init: copy existing rows first"},
	{"tables", OPT_TABLES, FOR_CHECK, NULL,
	"also show topic and key of each table"},
	{"json", OPT_JSON, FOR_STATUS | FOR_SNAPSHOT, NULL,
	"status, snapshot: as one JSON object"},
	{"no-wait", OPT_NO_WAIT, FOR_SNAPSHOT, NULL, "do not wait for its end"},
	{"status", OPT_STATUS, FOR_SNAPSHOT, NULL, "show how far it is"},
	{"pause", OPT_PAUSE, FOR_SNAPSHOT, NULL,
	"stop it for now; or --resume, --cancel"},
	{"resume", OPT_RESUME, FOR_SNAPSHOT, NULL, NULL},
	{"cancel", OPT_CANCEL, FOR_SNAPSHOT, NULL, NULL},
	{"yes", OPT_YES, FOR_DROP, NULL, "really"},
	{"publication", OPT_PUBLICATION, FOR_DROP, NULL, "its publication too"},
	{"state", OPT_STATE, FOR_DROP, NULL,
	"not the slot, but the state record about it"},
	{"keys", OPT_KEYS, 0, NULL, "list the keys of the config file"},
	{"help", 'h', 0, NULL, "show this"},
	{"version", 'V', 0, NULL, "show the version"},
};

#define COMMAND_COUNT	(sizeof(commands) / sizeof(commands[0]))
#define SWITCH_COUNT	(sizeof(switches) / sizeof(switches[0]))

static void
print_help(void)
{
	puts("wal2kafka sends committed changes of a PostgreSQL database to "
		 "Kafka.\n\nUsage: wal2kafka COMMAND [OPTION]...\n\nCommands:");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("  %-8s %s\n", commands[i].name, commands[i].help);
	puts("\nOptions:");
	for (size_t i = 0; i < SWITCH_COUNT; i++)
	{
		char		name[40];

		if (switches[i].help == NULL)
			continue;
		snprintf(name, sizeof(name), "%c%c%s--%s%s%s",
				 switches[i].value < 256 ? '-' : ' ',
				 switches[i].value < 256 ? switches[i].value : ' ',
				 switches[i].value < 256 ? ", " : "  ", switches[i].name,
				 switches[i].argument ? " " : "",
				 switches[i].argument ? switches[i].argument : "");
		printf("  %-28s ", name);
		for (size_t c = 0; c < COMMAND_COUNT; c++)
			if (switches[i].takes == commands[c].bit)
				printf("%s: ", commands[c].name);
		puts(switches[i].help);
	}
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

/* One at a time, and none of them is about a table. */
static bool
take_deed(struct args *args, const char *deed)
{
	if (args->deed != NULL)
	{
		log_error("\"--%s\" and \"--%s\" cannot be asked for at once",
				  args->deed, deed);
		return false;
	}
	args->deed = deed;
	return true;
}

/* Stores one option; false if the subcommand does not take it. */
static bool
take_switch(struct args *args, const struct command *command, int value)
{
	for (size_t i = 0; i < SWITCH_COUNT; i++)
		if (switches[i].value == value &&
			(switches[i].takes & command->bit) == 0)
		{
			log_error("\"wal2kafka %s\" takes no option \"--%s\"",
					  command->name, switches[i].name);
			return false;
		}
	switch (value)
	{
		case 'c':
			args->config = optarg;
			return true;
		case 'X':
			args->properties = mem_realloc(args->properties,
										   (args->property_count + 2) *
										   sizeof(char *));
			args->properties[args->property_count++] = optarg;
			args->properties[args->property_count] = NULL;
			return true;
		case OPT_INIT:
			return args->init = true;
		case OPT_SNAPSHOT:
			return args->snapshot = true;
		case OPT_YES:
			return args->yes = true;
		case OPT_PUBLICATION:
			return args->publication = true;
		case OPT_STATE:
			return args->state = true;
		case OPT_JSON:
			return args->json = true;
		case OPT_TABLES:
			return args->tables = true;
		case OPT_NO_WAIT:
			return args->no_wait = true;
		case OPT_STATUS:
			return take_deed(args, "status");
		case OPT_PAUSE:
			return take_deed(args, "pause");
		case OPT_RESUME:
			return take_deed(args, "resume");
		case OPT_CANCEL:
			return take_deed(args, "cancel");
	}
	return false;
}

/* Parses what follows the subcommand. */
static bool
parse_args(struct args *args, const struct command *command,
		   int argc, char **argv)
{
	struct option longs[SWITCH_COUNT + 1] = {0};
	int			value;

	for (size_t i = 0; i < SWITCH_COUNT; i++)
	{
		longs[i].name = switches[i].name;
		longs[i].has_arg = switches[i].argument ? required_argument :
			no_argument;
		longs[i].val = switches[i].value;
	}
	opterr = 0;
	while ((value = getopt_long(argc, argv, ":c:X:hV", longs, NULL)) != -1)
	{
		if (value == '?' || value == ':')
		{
			log_error(value == '?' ? "unknown option \"%s\"" :
					  "option \"%s\" needs a value", argv[optind - 1]);
			return false;
		}
		if (!take_switch(args, command, value))
			return false;
	}
	args->operands = argv + optind;
	args->operand_count = (size_t) (argc - optind);
	if (args->deed != NULL && (optind < argc || args->no_wait))
	{
		log_error("\"--%s\" is about all of the snapshot, and ends at once",
				  args->deed);
		return false;
	}
	if (optind < argc && !command->operands)
	{
		log_error("\"wal2kafka %s\" takes no argument \"%s\"", command->name,
				  argv[optind]);
		return false;
	}
	return true;
}

static enum exit_status
act(const struct command *command, int argc, char **argv)
{
	struct args args = {0};
	struct config cfg;
	enum exit_status result;
	char	   *error;

	if (!parse_args(&args, command, argc, argv))
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
