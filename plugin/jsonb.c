/*
 * jsonb.c
 *		A jsonb as the text that jsonb_out() makes of it, inside a JSON string.
 *
 * Follows JsonbToCStringWorker() of jsonb.c and the layout in utils/jsonb.h,
 * and reads what is stored where it lies.  What is rare is left to them.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/jsonb.h"

#include "compat.h"
#include "escape.h"
#include "put.h"
#include "scalar.h"

#define MAX_DEPTH	16

/* an old row under REPLICA IDENTITY FULL holds what is far away elsewhere */
#define MAX_SIZE	(64 * 1024)

/* for what stands between values, and a numeric */
#define ROOM		(SCALAR_MAX + 16)

/* a string that has something to escape is escaped twice, in here */
#define MAX_ESCAPED	256

typedef struct Walk
{
	StringInfo	out;
	char	   *to;				/* NULL: this value is left to jsonb_out() */
	const char *end;			/* of what is stored */
	int			depth;
} Walk;

static void put_container(Walk *walk, const JsonbContainer *container);

static void
put_string(Walk *walk, const char *text, int len)
{
	char		escaped[ESCAPE_ROOM(MAX_ESCAPED)];
	unsigned	seen = 0;
	char	   *to;
	char	   *end;

	if (len < 0 || len > walk->end - text)
	{
		walk->to = NULL;
		return;
	}
	to = put_room(walk->out, walk->to, ESCAPE_ROOM((Size) len) + ROOM);
	to = put_literal(to, "\\\"");
	end = escape_text(to, text, len, &seen);
	if (unlikely(seen != 0) &&
		((seen & ESCAPE_NUL) || !pg_verify_mbstr(PG_UTF8, text, len, true)))
	{
		walk->to = NULL;
		return;
	}
	if (unlikely(end - to != len))
	{
		Size		once = end - to;

		if (len > MAX_ESCAPED)
		{
			walk->to = NULL;
			return;
		}
		memcpy(escaped, to, once);
		to = put_room(walk->out, to, ESCAPE_ROOM(once) + ROOM);
		end = escape_text(to, escaped, once, &seen);
	}
	walk->to = put_literal(end, "\\\"");
}

/* Any but a container; "offset" is where it begins. */
static void
put_scalar(Walk *walk, JEntry entry, const char *base, uint32 offset)
{
	if (JBE_ISSTRING(entry))
		put_string(walk, base + offset, JBE_OFFLENFLD(entry) -
				   (JBE_HAS_OFF(entry) ? offset : 0));
	else if (JBE_ISNUMERIC(entry))
		walk->to = wal2kafka_numeric_put(walk->to, base + INTALIGN(offset));
	else if (JBE_ISBOOL_TRUE(entry))
		walk->to = put_literal(walk->to, "true");
	else if (JBE_ISBOOL_FALSE(entry))
		walk->to = put_literal(walk->to, "false");
	else
		walk->to = put_literal(walk->to, "null");
}

/* The value at that place among the container's entries. */
static void
put_value(Walk *walk, const JsonbContainer *container, const char *base,
		  int index, uint32 offset)
{
	JEntry		entry = container->children[index];

	walk->to = put_room(walk->out, walk->to, ROOM);
	if (JBE_ISCONTAINER(entry))
		put_container(walk, (const JsonbContainer *)
					  (base + INTALIGN(offset)));
	else
		put_scalar(walk, entry, base, offset);
}

static void
put_array(Walk *walk, const JsonbContainer *container)
{
	int			count = JsonContainerSize(container);
	const char *base = (const char *) &container->children[count];
	uint32		offset = 0;

	if (!JsonContainerIsScalar(container))
		*walk->to++ = '[';
	for (int i = 0; i < count && walk->to; i++)
	{
		if (i > 0)
			walk->to = put_literal(walk->to, ", ");
		put_value(walk, container, base, i, offset);
		JBE_ADVANCE_OFFSET(offset, container->children[i]);
	}
	if (walk->to && !JsonContainerIsScalar(container))
		*walk->to++ = ']';
}

/* All keys come first, then all values. */
static void
put_object(Walk *walk, const JsonbContainer *container)
{
	int			count = JsonContainerSize(container);
	const char *base = (const char *) &container->children[count * 2];
	uint32		key = 0;
	uint32		value = count > 0 ? getJsonbOffset(container, count) : 0;

	*walk->to++ = '{';
	for (int i = 0; i < count && walk->to; i++)
	{
		if (i > 0)
			walk->to = put_literal(walk->to, ", ");
		put_value(walk, container, base, i, key);
		if (walk->to == NULL)
			return;
		walk->to = put_literal(walk->to, ": ");
		put_value(walk, container, base, i + count, value);
		JBE_ADVANCE_OFFSET(key, container->children[i]);
		JBE_ADVANCE_OFFSET(value, container->children[i + count]);
	}
	if (walk->to)
		*walk->to++ = '}';
}

static void
put_container(Walk *walk, const JsonbContainer *container)
{
	if (++walk->depth > MAX_DEPTH)
		walk->to = NULL;
	else if (JsonContainerIsObject(container))
		put_object(walk, container);
	else
		put_array(walk, container);
	if (walk->to)
		walk->to = put_room(walk->out, walk->to, ROOM);
	walk->depth--;
}

char *
wal2kafka_jsonb_put(StringInfo out, char *to, const void *stored)
{
	Walk		walk = {out};
	union
	{
		JsonbContainer container;	/* for its alignment */
		char		bytes[VARATT_SHORT_MAX];
	}			aligned;

	if (VARATT_IS_EXTERNAL(stored) || VARATT_IS_COMPRESSED(stored) ||
		VARSIZE_ANY(stored) > MAX_SIZE)
		return NULL;
	walk.to = put_room(out, to, ROOM);
	walk.to = put_literal(walk.to, "\"");
	if (VARATT_IS_SHORT(stored))
	{
		memcpy(aligned.bytes, VARDATA_SHORT(stored),
			   VARSIZE_SHORT(stored) - VARHDRSZ_SHORT);
		walk.end = aligned.bytes + sizeof(aligned.bytes);
		put_container(&walk, &aligned.container);
	}
	else
	{
		walk.end = (const char *) stored + VARSIZE(stored);
		put_container(&walk, (const JsonbContainer *) VARDATA(stored));
	}
	return walk.to ? put_literal(walk.to, "\"") : NULL;
}
