/*
 * control_command.c
 *		What the shipper answers to a command.
 */
#include "control_command.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control_link.h"
#include "mem.h"

static char *another_slot(const json_t *request, const char *slot,
						  char **hint);
static char *obey(const json_t *request);

json_t *
control_command(const json_t *request, const char *slot)
{
	char	   *hint = NULL;
	char	   *error = another_slot(request, slot, &hint);
	json_t	   *answer;

	if (error == NULL)
		error = obey(request);
	if (error != NULL)
		answer = control_error(error, hint);
	else
		answer = json_pack("{s:b,s:s,s:i,s:s}", "ok", 1, "slot", slot,
						   "pid", (int) getpid(), "program",
						   WAL2KAFKA_VERSION);
	free(error);
	free(hint);
	return answer;
}

/* Two shippers with one path are easily made, by a copied config. */
static char *
another_slot(const json_t *request, const char *slot, char **hint)
{
	const char *meant = json_string_value(json_object_get(request, "slot"));

	if (meant == NULL || strcmp(meant, slot) == 0)
		return NULL;
	*hint = mem_strdup("Give each shipper a \"control\" of its own.");
	return mem_format("the shipper that answers has the slot \"%s\"", slot);
}

static char *
obey(const json_t *request)
{
	const char *command =
		json_string_value(json_object_get(request, "command"));

	if (command == NULL)
		return mem_strdup("a request needs a \"command\"");
	if (strcmp(command, "status") == 0)
		return NULL;
	return mem_format("unknown command \"%s\"", command);
}
