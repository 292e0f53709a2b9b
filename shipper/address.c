/*
 * address.c
 *		Where to listen.
 *
 * Names are not looked up: what they resolve to may change, and who wants to
 * be reached from elsewhere should say so in so many words.
 */
#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

static bool parse_port(const char *text, in_port_t *port);

bool
address_parse(const char *text, struct address *address)
{
	struct sockaddr_in *four = (struct sockaddr_in *) &address->socket;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *) &address->socket;
	const char *colon = strrchr(text, ':');
	char		host[INET6_ADDRSTRLEN + 2] = "127.0.0.1";
	size_t		len = colon != NULL ? (size_t) (colon - text) : 0;
	in_port_t	port;

	memset(address, 0, sizeof(*address));
	if (len >= sizeof(host) || (colon != NULL && len == 0) ||
		!parse_port(colon != NULL ? colon + 1 : text, &port))
		return false;
	if (colon != NULL)
		*(char *) mempcpy(host, text, len) = '\0';

	if (host[0] == '[' && host[len - 1] == ']')
	{
		host[len - 1] = '\0';
		six->sin6_family = AF_INET6;
		six->sin6_port = port;
		address->length = sizeof(*six);
		return inet_pton(AF_INET6, host + 1, &six->sin6_addr) == 1;
	}
	four->sin_family = AF_INET;
	four->sin_port = port;
	address->length = sizeof(*four);
	return inet_pton(AF_INET, host, &four->sin_addr) == 1;
}

/* 1 to 65535, digits alone, in network order */
static bool
parse_port(const char *text, in_port_t *port)
{
	uint32_t	number = 0;

	if (strlen(text) > 5)
		return false;
	for (; *text >= '0' && *text <= '9'; text++)
		number = number * 10 + (uint32_t) (*text - '0');
	*port = htons((uint16_t) number);
	return *text == '\0' && number >= 1 && number <= UINT16_MAX;
}
