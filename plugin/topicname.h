/*
 * topicname.h
 *		The topic of a table that no route names.  Plain C, used by the plugin
 *		and by the shipper's check.
 */
#ifndef TOPICNAME_H
#define TOPICNAME_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define TOPIC_NAME_MAX	249		/* Kafka's limit, Topic.java MAX_NAME_LENGTH */
#define TOPIC_PART_MAX	(63 * 4)
#define TOPIC_HASH_SIZE 17		/* "-" and 16 hexadecimal digits */

/* Whether a name that is used as written is one that Kafka takes. */
static inline bool
topic_name_is_legal(const char *name)
{
	size_t		len = strlen(name);

	return len > 0 && len <= TOPIC_NAME_MAX &&
		strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
		strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			   "0123456789._-") == len;
}

/* FNV-1a: long names need to differ, not to resist an attacker */
static inline uint64_t
topic_name_hash(const char *name, size_t len)
{
	uint64_t	hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char) name[i]) * UINT64_C(0x100000001b3);
	return hash;
}

/*
 * Appends a name with every byte outside [A-Za-z0-9_] as "-hh", so that no
 * two tables share a topic by accident.  Returns the new length.
 */
static inline size_t
topic_name_escape(char *to, size_t len, const char *name)
{
	static const char hex[] = "0123456789abcdef";

	for (const unsigned char *c = (const unsigned char *) name; *c; c++)
	{
		if ((*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') ||
			(*c >= '0' && *c <= '9') || *c == '_')
			to[len++] = (char) *c;
		else
		{
			to[len++] = '-';
			to[len++] = hex[*c >> 4];
			to[len++] = hex[*c & 15];
		}
	}
	return len;
}

/*
 * Writes [PREFIX.]SCHEMA.TABLE to "to", terminated.  The prefix is legal and
 * at most TOPIC_NAME_MAX bytes ("" for none); schema and table are in UTF-8,
 * where 63 bytes of the server's may have become TOPIC_PART_MAX.  Over
 * TOPIC_NAME_MAX bytes: the first 232, "-", and a hash of the whole.
 */
static inline void
topic_name_default(char to[TOPIC_NAME_MAX + 1], const char *prefix,
				   const char *schema, const char *table)
{
	char		name[TOPIC_NAME_MAX + 1 + 2 * 3 * TOPIC_PART_MAX + 2];
	size_t		len = strlen(prefix);
	uint64_t	hash;

	memcpy(name, prefix, len);
	if (len > 0)
		name[len++] = '.';
	len = topic_name_escape(name, len, schema);
	name[len++] = '.';
	len = topic_name_escape(name, len, table);
	hash = topic_name_hash(name, len);

	if (len > TOPIC_NAME_MAX)
	{
		len = TOPIC_NAME_MAX - TOPIC_HASH_SIZE;
		memcpy(to, name, len);
		snprintf(to + len, TOPIC_HASH_SIZE + 1, "-%08x%08x",
				 (unsigned) (hash >> 32), (unsigned) hash);
	}
	else
	{
		memcpy(to, name, len);
		to[len] = '\0';
	}
}

#endif							/* TOPICNAME_H */
