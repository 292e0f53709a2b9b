/*
 * proxy_produce.h
 *		Refuses a Produce request in the broker's place.
 */
#ifndef PROXY_PRODUCE_H
#define PROXY_PRODUCE_H

#include <stddef.h>
#include <stdint.h>

#define REFUSAL_MAX		4096

struct refusal
{
	unsigned char bytes[REFUSAL_MAX];
	size_t		len;
};

/*
 * Makes the answer that refuses all partitions of a request (versions 3 to 13)
 * with this code, and returns a hash of their names and their producer's id.
 * An answer of no length means that the request was not understood.
 */
extern uint64_t refuse_produce(const char *bytes, size_t len, int code,
							   struct refusal *out);

#endif							/* PROXY_PRODUCE_H */
