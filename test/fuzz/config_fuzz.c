/*
 * config_fuzz.c
 *		Config text and SQL names from anywhere: an error or a config, and
 *		nothing leaked or read beyond.
 */
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "names.h"

extern int	LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void
try_names(const char *text, char separator)
{
	struct names names;
	struct names again;
	char		between[2] = {separator, '\0'};
	char	   *joined;

	if (!names_parse(&names, text, separator))
		return;

	/* what is quoted must come back as it was */
	joined = names_join(&names, between);
	if (!names_parse(&again, joined, separator) ||
		again.count != names.count)
		abort();
	for (size_t i = 0; i < names.count; i++)
		if (strcmp(names.name[i], again.name[i]) != 0)
			abort();
	free(joined);
	names_free(&names);
	names_free(&again);
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct config cfg;
	char	   *text = malloc(size + 1);
	char	   *error;

	memcpy(text, data, size);
	text[size] = '\0';
	config_init(&cfg);
	error = config_read(&cfg, "fuzz", text, size);
	if (error == NULL)
		error = config_check(&cfg);
	free(error);
	config_free(&cfg);
	try_names(text, ',');
	try_names(text, '.');
	free(text);
	return 0;
}
