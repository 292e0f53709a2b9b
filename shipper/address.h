/*
 * address.h
 *		Where to listen, as the config has it: PORT or ADDRESS:PORT.
 */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

struct address
{
	struct sockaddr_storage socket;
	socklen_t	length;
};

/*
 * A PORT alone is one of loopback; ADDRESS is a number, an IPv6 one in
 * brackets.  False: it is neither.
 */
extern bool address_parse(const char *text, struct address *address);

#endif							/* ADDRESS_H */
