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

static void add_changes(json_t *answer, const struct snapshot_plan *plan,
						const struct keeper *keeper);
static char *another_slot(const json_t *request, const char *slot,
						  char **hint);
static char *obey(const json_t *request, struct snapshot *snapshot,
				  char **hint);
static char *want(const json_t *tables, struct snapshot *snapshot,
				  char **hint);

json_t *
control_command(const json_t *request, const char *slot,
				struct snapshot *snapshot, const struct keeper *keeper)
{
	char	   *hint = NULL;
	char	   *error = another_slot(request, slot, &hint);
	json_t	   *answer;

	if (error == NULL)
		error = obey(request, snapshot, &hint);
	if (error != NULL)
		answer = control_error(error, hint);
	else
	{
		answer = json_pack("{s:b,s:s,s:i,s:s,s:o}", "ok", 1, "slot", slot,
						   "pid", (int) getpid(), "program",
						   WAL2KAFKA_VERSION, "snapshot",
						   snapshot_status(snapshot));
		add_changes(answer, snapshot_plan(snapshot), keeper);
	}
	free(error);
	free(hint);
	return answer;
}

static void
add_changes(json_t *answer, const struct snapshot_plan *plan,
			const struct keeper *keeper)
{
	uint64_t	recorded;

	json_object_set_new(answer, "change",
						json_integer((json_int_t) plan->version));
	if (keeper_plan(keeper, &recorded))
		json_object_set_new(answer, "recorded",
							json_integer((json_int_t) recorded));
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
obey(const json_t *request, struct snapshot *snapshot, char **hint)
{
	const char *command =
		json_string_value(json_object_get(request, "command"));

	if (command == NULL)
		return mem_strdup("a request needs a \"command\"");
	if (strcmp(command, "status") == 0)
		return NULL;
	if (strcmp(command, "snapshot") == 0)
		return want(json_object_get(request, "tables"), snapshot, hint);
	if (strcmp(command, "pause") == 0)
		return snapshot_pause(snapshot, hint);
	if (strcmp(command, "resume") == 0)
		return snapshot_resume(snapshot, hint);
	if (strcmp(command, "cancel") == 0)
		return snapshot_cancel(snapshot, hint);
	return mem_format("unknown command \"%s\"", command);
}

static char *
want(const json_t *tables, struct snapshot *snapshot, char **hint)
{
	size_t		count = json_array_size(tables);
	const char **names = mem_zalloc((count + 1) * sizeof(*names));
	char	   *error = NULL;

	/* what is no list must not stand for every table */
	if (tables != NULL && !json_is_array(tables))
		error = mem_strdup("\"tables\" takes a list of names");
	for (size_t i = 0; i < count && error == NULL; i++)
	{
		names[i] = json_string_value(json_array_get(tables, i));
		if (names[i] == NULL)
			error = mem_strdup("\"tables\" takes a list of names");
	}
	if (error == NULL)
		error = snapshot_want(snapshot, count, names, hint);
	free(names);
	return error;
}
