/*
 * conninfo.c
 *		The connection string: whether it is one, and what it leaves open.
 */
#include "conninfo.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "log.h"

#define CONNECT_TIMEOUT	"10"	/* s, for each address */

static bool
host_is_local(const char *host, size_t len)
{
	static const char *const local[] = {"localhost", "127.0.0.1", "::1"};

	/* a socket's directory, or none: libpq takes the default socket */
	if (len == 0 || *host == '/' || *host == '@')
		return true;
	for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++)
		if (strlen(local[i]) == len && strncmp(local[i], host, len) == 0)
			return true;
	return false;
}

static bool
hosts_are_local(const char *hosts)
{
	for (;; hosts++)
	{
		size_t		len = strcspn(hosts, ",");

		if (!host_is_local(hosts, len))
			return false;
		hosts += len;
		if (*hosts == '\0')
			return true;
	}
}

/* The value that the connection string gives for a keyword, else "". */
static const char *
conninfo_value(const PQconninfoOption *options, const char *keyword)
{
	for (; options->keyword != NULL; options++)
		if (strcmp(options->keyword, keyword) == 0)
			return options->val ? options->val : "";
	return "";
}

/* As libpq looks it up: string, then environment. */
static const char *
effective(const PQconninfoOption *options, const char *keyword,
		  const char *variable)
{
	const char *value = conninfo_value(options, keyword);

	if (*value == '\0')
		value = getenv(variable);
	return value ? value : "";
}

void
conninfo_defaults(const struct config *cfg)
{
	PQconninfoOption *options = PQconninfoParse(cfg->conninfo, NULL);
	bool		local;

	setenv("PGCONNECT_TIMEOUT", CONNECT_TIMEOUT, 0);
	if (options == NULL)
		return;					/* conninfo_is_legal() says what is wrong */

	/* a service may name any host; it can also set sslmode */
	local = hosts_are_local(effective(options, "host", "PGHOST")) &&
		hosts_are_local(effective(options, "hostaddr", "PGHOSTADDR")) &&
		*effective(options, "service", "PGSERVICE") == '\0';
	if (!local)
		setenv("PGSSLMODE", "verify-full", 0);
	PQconninfoFree(options);
}

/*
 * libpq names the word that it stumbled over, which in a connection string may
 * be half a password; only the name of an unknown option is safe to show.
 */
bool
conninfo_is_legal(const char *conninfo)
{
	char	   *message = NULL;
	PQconninfoOption *options = PQconninfoParse(conninfo, &message);

	if (options == NULL)
	{
		bool		safe = message != NULL &&
			strncmp(message, "invalid connection option", 25) == 0;

		log_error("\"conninfo\" is not a connection string: %.*s",
				  safe ? (int) strcspn(message, "\n") : INT_MAX,
				  safe ? message : "it is malformed");
		log_hint("It has the form \"host=... dbname=... user=...\"; values "
				 "with blanks go in single quotes.");
		PQfreemem(message);
		return false;
	}
	PQconninfoFree(options);
	return true;
}
