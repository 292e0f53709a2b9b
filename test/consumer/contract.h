/*
 * contract.h
 *		One record as a consumer of the ReplicationOp contract sees it: five
 *		fields, three operations, strings or null.
 */
#ifndef CONTRACT_H
#define CONTRACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

enum op_kind
{
	OP_INSERT,
	OP_UPDATE,
	OP_DELETE,
};

struct change
{
	const char *table_name;
	size_t		column_count;
	const char **columns;
	uint64_t	lsn;
	uint64_t	seq_id;
	enum op_kind op;
	const char **old_row;		/* parallel to columns; NULL for an Insert */
	const char **new_row;		/* likewise; NULL for a Delete */

	json_t	   *root;			/* owns every string above */
};

/*
 * Fills "change" from a record's value, or returns false with the reason in
 * "why".  Free a filled one with change_free().
 */
extern bool change_parse(struct change *change, const char *value, size_t len,
						 char *why, size_t why_size);
extern void change_free(struct change *change);

#endif							/* CONTRACT_H */
