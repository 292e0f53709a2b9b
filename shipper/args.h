/*
 * args.h
 *		The words behind the subcommand.
 */
#ifndef ARGS_H
#define ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

struct args
{
	const char *config;			/* NULL: the default */
	const char **properties;	/* owned; -X, ended by NULL */
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

/* A bit for each subcommand. */
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

struct command
{
	const char *name;
	int			bit;
	enum exit_status (*act) (const struct config *, struct args *);
	bool		operands;		/* takes words that are no options */
	bool		root;			/* may do it: it does no work itself */
	const char *help;
};

/* Fills it in, from zeros; false: a mistake, logged. */
extern bool args_parse(struct args *args, const struct command *command,
					   int argc, char **argv);

/* The options, as --help shows them. */
extern void args_help(const struct command *commands, size_t count);

#endif							/* ARGS_H */
