/*
 * args.c
 *		The words behind the subcommand.
 */
#include "args.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "mem.h"

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

#define SWITCH_COUNT	(sizeof(switches) / sizeof(switches[0]))

static bool take_switch(struct args *args, const struct command *command,
						int value);
static bool take_deed(struct args *args, const char *deed);

void
args_help(const struct command *commands, size_t count)
{
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
		for (size_t c = 0; c < count; c++)
			if (switches[i].takes == commands[c].bit)
				printf("%s: ", commands[c].name);
		puts(switches[i].help);
	}
}

bool
args_parse(struct args *args, const struct command *command,
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
