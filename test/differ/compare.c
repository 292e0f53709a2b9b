/*
 * compare.c
 *		One of our records, or the two of a split update, against one change
 *		of pgoutput.
 *
 * What has to be equal: the transaction (its commit LSN, time and xid), the
 * order, the table, the columns and their order, the operation, every value
 * and null of the old and the new row, what is unchanged, the columns of the
 * identity, and the Kafka key that follows from them.
 *
 * What may differ, and is counted:
 * - An update that moves the Kafka key is a Delete and an Insert with
 *   key_change here, and one Update there.
 * - A TRUNCATE of several tables is one message there, a record for each here
 *   (truncate=emit).
 * - A delete whose old row is not known at all (no identity) is all null here;
 *   pgoutput leaves it out.  The same for a key that is only half published.
 * - An unchanged large value is 'u' there.  Here it is filled in from the old
 *   row where that holds it, and named in "unchanged" elsewhere.
 * - An update without a logged old row has none there.  Here it holds the key,
 *   copied from the new one.
 * - Bytes that are not UTF-8, which functions in C get into a database, are
 *   sent as they are there, and mended here (utf8.h).
 * - A table of which no column is published has no updates and deletes here:
 *   an empty OLD would match every row of a copy.
 */
#include "compare.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "../../shipper/lsn.h"
#include "die.h"
#include "utf8.h"

#define SHOWN			50		/* differences in words */
#define EPOCH_SECONDS	946684800	/* 2000 after 1970 */
#define MICROS			1000000

/* The record at hand, and the second half of a split one. */
struct pair
{
	struct record *first;
	struct record *second;
};

static bool next_pair(struct comparison *comparison, struct pair *pair,
					  struct record **ahead);
static struct record *next_record(struct comparison *comparison,
								  struct records *ours);
static bool theirs_counts(struct comparison *comparison,
						  const struct their_change *theirs);
static void pair_free(struct pair *pair);
static const char *pair_differs(struct comparison *comparison,
								const struct pair *pair,
								const struct their_change *theirs);
static const char *place_differs(const struct record *ours,
								 const struct their_change *theirs);
static const char *insert_differs(struct comparison *comparison,
								  const struct record *ours,
								  const struct their_change *theirs);
static const char *update_differs(struct comparison *comparison,
								  const struct pair *pair,
								  const struct their_change *theirs);
static const char *delete_differs(struct comparison *comparison,
								  const struct record *ours,
								  const struct their_change *theirs);
static const char *new_row_differs(struct comparison *comparison,
								   const struct pair *pair,
								   const struct their_change *theirs);
static const char *old_row_differs(const struct record *ours,
								   const struct their_change *theirs);
static const char *identity_differs(const struct record *ours,
									const struct their_change *theirs);
static bool key_differs(const struct record *ours, const char **row);

/* ---- the two streams ---- */

static void
tell(struct comparison *comparison, const struct record *ours,
	 const struct their_change *theirs, const char *what)
{
	static const char *const ops[] = {
		"Insert", "Update", "Delete", "Truncate"
	};

	if (++comparison->differences > SHOWN)
		return;
	printf("difference: %s\n", what);
	if (ours)
		printf("  ours:   %.1000s\n", ours->value);
	if (theirs)
		printf("  theirs: %s of \"%s\".\"%s\", lsn %" PRIu64 " (" LSN_FORMAT
			   ")\n", ops[theirs->op], theirs->table->schema,
			   theirs->table->name, theirs->lsn, LSN_ARGS(theirs->lsn));
}

void
compare_with_pgoutput(struct comparison *comparison)
{
	const struct their_change *theirs;
	struct record *ahead = NULL;
	struct pair pair;
	uint64_t	lsn = 0;

	theirs = pgoutput_next(comparison->theirs);
	(void) next_pair(comparison, &pair, &ahead);
	while (theirs || pair.first)
	{
		if (theirs && !theirs_counts(comparison, theirs))
		{
			theirs = pgoutput_next(comparison->theirs);
			continue;
		}
		/* an LSN that only one has is taken for its alone */
		if (theirs == NULL ||
			(pair.first && pair.first->change.lsn < theirs->lsn))
		{
			tell(comparison, pair.first, NULL, "pgoutput does not have it");
			pair_free(&pair);
			(void) next_pair(comparison, &pair, &ahead);
			continue;
		}
		if (pair.first == NULL || pair.first->change.lsn > theirs->lsn)
			tell(comparison, NULL, theirs, "only pgoutput has it");
		else
		{
			const char *what = pair_differs(comparison, &pair, theirs);

			if (what)
				tell(comparison, pair.first, theirs, what);
			comparison->transactions += theirs->lsn != lsn;
			lsn = theirs->lsn;
			comparison->changes++;
			pair_free(&pair);
			(void) next_pair(comparison, &pair, &ahead);
		}
		theirs = pgoutput_next(comparison->theirs);
	}
}

void
compare_with_ours(struct comparison *comparison, struct records *again)
{
	struct record *one = next_record(comparison, comparison->ours);
	struct record *other = next_record(comparison, again);
	uint64_t	lsn = 0;

	while (one || other)
	{
		if (one == NULL || other == NULL ||
			strcmp(one->topic, other->topic) != 0 ||
			(one->kafka_key == NULL) != (other->kafka_key == NULL) ||
			(one->kafka_key &&
			 strcmp(one->kafka_key, other->kafka_key) != 0) ||
			one->value_len != other->value_len ||
			memcmp(one->value, other->value, one->value_len) != 0)
		{
			tell(comparison, one, NULL, "the other reading has other bytes");
			if (comparison->differences <= SHOWN)
				printf("  again:  %.1000s\n",
					   other ? other->value : "nothing");
		}
		if (one)
		{
			comparison->changes++;
			comparison->transactions += one->change.lsn != lsn;
			lsn = one->change.lsn;
		}
		record_free(one);
		record_free(other);
		one = next_record(comparison, comparison->ours);
		other = next_record(comparison, again);
	}
}

/* Passes over what breaks the contract, which is a difference by itself. */
static struct record *
next_record(struct comparison *comparison, struct records *ours)
{
	const char *fault;
	struct record *record;

	while ((record = records_next(ours, &fault)) != NULL)
	{
		if (fault == NULL)
			break;
		tell(comparison, record, NULL, fault);
		record_free(record);
	}
	if (record && ours == comparison->ours)
	{
		comparison->records++;
		if (comparison->each)
			comparison->each(record, comparison->arg);
	}
	return record;
}

static bool
next_pair(struct comparison *comparison, struct pair *pair,
		  struct record **ahead)
{
	memset(pair, 0, sizeof(*pair));
	for (;;)
	{
		pair->first = *ahead ? *ahead :
			next_record(comparison, comparison->ours);
		*ahead = NULL;
		if (pair->first == NULL)
			return false;
		if (pair->first->truncate || pair->first->change.op != OP_DELETE ||
			pair->first->old != OLD_NONE)
			break;
		comparison->counts[COUNT_DELETE_NONE]++;
		record_free(pair->first);
	}
	if (pair->first->key_change && pair->first->change.op == OP_DELETE)
	{
		*ahead = next_record(comparison, comparison->ours);
		if (*ahead && (*ahead)->key_change && !(*ahead)->truncate &&
			(*ahead)->change.op == OP_INSERT &&
			(*ahead)->change.lsn == pair->first->change.lsn)
		{
			pair->second = *ahead;
			*ahead = NULL;
		}
	}
	return true;
}

static bool
theirs_counts(struct comparison *comparison,
			  const struct their_change *theirs)
{
	if (theirs->table->count > 0 || theirs->op == THEIR_INSERT ||
		theirs->op == THEIR_TRUNCATE)
		return true;
	comparison->counts[COUNT_NO_COLUMNS]++;
	return false;
}

static void
pair_free(struct pair *pair)
{
	record_free(pair->first);
	record_free(pair->second);
}

/* ---- one change ---- */

static const char *
pair_differs(struct comparison *comparison, const struct pair *pair,
			 const struct their_change *theirs)
{
	const struct record *ours = pair->first;
	const char *what = place_differs(ours, theirs);

	if (what == NULL && pair->second)
		what = place_differs(pair->second, theirs);
	if (what)
		return what;

	if (ours->key_change != (pair->second != NULL))
		return "a half of a split update stands alone";
	if (pair->second)
		return theirs->op == THEIR_UPDATE ?
			update_differs(comparison, pair, theirs) : "the operation";
	if (ours->truncate || theirs->op == THEIR_TRUNCATE)
	{
		comparison->counts[COUNT_TRUNCATE]++;
		return ours->truncate && theirs->op == THEIR_TRUNCATE &&
			ours->cascade == theirs->cascade &&
			ours->restart_identity == theirs->restart_identity ?
			NULL : "the operation, or how it truncates";
	}
	if (ours->change.op == OP_INSERT && theirs->op == THEIR_INSERT)
		return insert_differs(comparison, ours, theirs);
	if (ours->change.op == OP_UPDATE && theirs->op == THEIR_UPDATE)
		return update_differs(comparison, pair, theirs);
	if (ours->change.op == OP_DELETE && theirs->op == THEIR_DELETE)
		return delete_differs(comparison, ours, theirs);
	return "the operation";
}

static const char *
place_differs(const struct record *ours, const struct their_change *theirs)
{
	int64_t		micros = theirs->commit_time +
		(int64_t) EPOCH_SECONDS * MICROS;
	time_t		seconds = (time_t) (micros / MICROS);
	struct tm	tm;
	char		time_text[64];

	gmtime_r(&seconds, &tm);
	snprintf(time_text, sizeof(time_text),
			 "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ",
			 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
			 tm.tm_min, tm.tm_sec, (int) (micros % MICROS));

	if (ours->change.lsn != theirs->lsn)
		return "the transaction";
	if (ours->xid != theirs->xid)
		return "the transaction's number";
	if (strcmp(ours->commit_ts, time_text) != 0)
		return "the commit time";
	if (strcmp(ours->schema, theirs->table->schema) != 0)
		return "the schema";
	if (strcmp(ours->change.table_name, theirs->table->name) != 0)
		return "the table";
	return NULL;
}

static const char *
insert_differs(struct comparison *comparison, const struct record *ours,
			   const struct their_change *theirs)
{
	struct pair pair = {.second = (struct record *) ours};

	comparison->counts[COUNT_INSERT]++;
	return new_row_differs(comparison, &pair, theirs);
}

static const char *
update_differs(struct comparison *comparison, const struct pair *pair,
			   const struct their_change *theirs)
{
	const char *what = old_row_differs(pair->first, theirs);

	if (pair->second)
		comparison->counts[COUNT_SPLIT]++;
	if (theirs->old_kind == 'O')
		comparison->counts[COUNT_UPDATE_FULL]++;
	else if (theirs->old_kind == 'K')
		comparison->counts[COUNT_UPDATE_KEY]++;
	else
		comparison->counts[COUNT_UPDATE_NO_OLD]++;
	return what ? what : new_row_differs(comparison, pair, theirs);
}

static const char *
delete_differs(struct comparison *comparison, const struct record *ours,
			   const struct their_change *theirs)
{
	comparison->counts[theirs->old_kind == 'O' ?
					   COUNT_DELETE_FULL : COUNT_DELETE_KEY]++;
	return old_row_differs(ours, theirs);
}

/* Ours was read as JSON and is valid UTF-8. */
static bool
same_mended(const char *ours, const struct their_value *theirs)
{
	char	   *mended = utf8_mended(theirs->text, theirs->len);
	bool		same = mended && strcmp(ours, mended) == 0;

	free(mended);
	return same;
}

static bool
same_value(const char *ours, const struct their_value *theirs)
{
	if (ours == NULL || theirs->kind == 'n')
		return ours == NULL && theirs->kind == 'n';
	if (theirs->kind == 't' && strlen(ours) == theirs->len &&
		memcmp(ours, theirs->text, theirs->len) == 0)
		return true;
	return theirs->kind == 't' && same_mended(ours, theirs);
}

static bool
is_unchanged(const struct record *ours, const char *column)
{
	for (size_t i = 0; i < json_array_size(ours->unchanged); i++)
	{
		if (strcmp(json_string_value(json_array_get(ours->unchanged, i)),
				   column) == 0)
			return true;
	}
	return false;
}

/* What an OLD holds of a column: by name, for a split one has all of them. */
static bool
old_holds(const struct record *record, const char *column, const char **value)
{
	const struct change *change = &record->change;

	for (size_t i = 0; change->old_row && i < change->column_count; i++)
	{
		if (strcmp(change->columns[i], column) == 0)
		{
			*value = change->old_row[i];
			return true;
		}
	}
	return false;
}

/* A new row is the second record's, or the first's if that is an Update. */
static const char *
new_row_differs(struct comparison *comparison, const struct pair *pair,
				const struct their_change *theirs)
{
	const struct record *ours = pair->second ? pair->second : pair->first;
	const struct change *change = &ours->change;
	const struct their_table *table = theirs->table;
	size_t		unchanged = 0;
	size_t		c = 0;

	for (size_t i = 0; i < table->count; i++)
	{
		const struct their_value *value = &theirs->new_row[i];
		const char *name = table->columns[i].name;

		if (value->kind == 'u' && is_unchanged(ours, name))
		{
			comparison->counts[COUNT_UNCHANGED]++;
			unchanged++;
			continue;
		}
		if (c >= change->column_count || strcmp(change->columns[c], name) != 0)
			return "the columns of the new row";
		if (value->kind == 'u')
		{
			const char *old;

			/* it has to be what their old row says */
			if (pair->first == NULL ||
				!old_holds(pair->first, name, &old) || old == NULL ||
				change->new_row[c] == NULL ||
				strcmp(old, change->new_row[c]) != 0 ||
				theirs->old_kind == 0 ||
				!same_value(old, &theirs->old_row[i]))
				return "an unchanged value";
			comparison->counts[COUNT_FILLED]++;
		}
		else if (!same_value(change->new_row[c], value))
			return "a value of the new row";
		comparison->counts[COUNT_NULL] += value->kind == 'n';
		c++;
	}
	if (c != change->column_count)
		return "the columns of the new row";
	if (unchanged != json_array_size(ours->unchanged))
		return "the unchanged columns";
	if (identity_differs(ours, theirs))
		return identity_differs(ours, theirs);
	return key_differs(ours, change->new_row) ? "the Kafka key" : NULL;
}

static const char *
old_row_differs(const struct record *ours, const struct their_change *theirs)
{
	const struct change *change = &ours->change;
	const struct their_table *table = theirs->table;
	bool		only_key = ours->old == OLD_KEY && change->op == OP_DELETE;
	enum old_row due = theirs->old_kind == 'O' ? OLD_FULL : OLD_KEY;
	bool		any_key = false;
	size_t		c = 0;

	for (size_t i = 0; i < table->count; i++)
		any_key |= table->columns[i].key;
	if (theirs->old_kind == 0 && (!any_key || table->identity == 'f' ||
								  table->identity == 'n'))
		due = OLD_NONE;
	/* half a key is none */
	if (ours->old == OLD_NONE && ours->identity == NULL)
		due = OLD_NONE;
	if (ours->old != due)
		return "what the old row is";

	for (size_t i = 0; i < table->count; i++)
	{
		const struct their_column *column = &table->columns[i];
		const struct their_value *value =
			theirs->old_kind ? &theirs->old_row[i] : &theirs->new_row[i];
		bool		known = due == OLD_FULL || (due == OLD_KEY && column->key);

		if ((only_key && !column->key) || is_unchanged(ours, column->name))
			continue;
		if (c >= change->column_count ||
			strcmp(change->columns[c], column->name) != 0)
			return "the columns of the old row";
		if (known ? !same_value(change->old_row[c], value) :
			change->old_row[c] != NULL)
			return "a value of the old row";
		c++;
	}
	if (c != change->column_count)
		return "the columns of the old row";
	if (change->op == OP_UPDATE)
		return NULL;
	if (identity_differs(ours, theirs))
		return identity_differs(ours, theirs);
	return key_differs(ours, change->old_row) ? "the Kafka key" : NULL;
}

/*
 * Field "key" names the columns that pgoutput flags.  Under FULL it flags all,
 * and the primary key is not to be seen in its messages.
 */
static const char *
identity_differs(const struct record *ours, const struct their_change *theirs)
{
	const struct their_table *table = theirs->table;
	size_t		count = json_array_size(ours->identity);
	size_t		flagged = 0;

	for (size_t i = 0; i < count; i++)
	{
		size_t		place = (size_t)
			json_integer_value(json_array_get(ours->identity, i));
		bool		found = false;

		if (place >= ours->change.column_count)
			return "field \"key\" points beyond the columns";
		for (size_t t = 0; t < table->count; t++)
			found |= table->columns[t].key &&
				strcmp(table->columns[t].name,
					   ours->change.columns[place]) == 0;
		if (!found)
			return "the columns of the identity";
	}
	for (size_t t = 0; t < table->count; t++)
		flagged += table->columns[t].key;
	if (table->identity != 'f' && count > 0 && flagged != count)
		return "the columns of the identity";
	return NULL;
}

/* Without a route the Kafka key is made of the identity's columns. */
static bool
key_differs(const struct record *ours, const char **row)
{
	size_t		count = json_array_size(ours->identity);
	json_t	   *array;
	json_t	   *got;
	bool		differs;

	if (count == 0)
		return ours->kafka_key != NULL;
	if (ours->kafka_key == NULL)
		return true;
	array = json_array();
	for (size_t i = 0; i < count; i++)
	{
		json_t	   *column = json_array_get(ours->identity, i);
		const char *value = row[json_integer_value(column)];

		if (count == 1 && value)
		{
			json_decref(array);
			return strcmp(value, ours->kafka_key) != 0;
		}
		json_array_append_new(array, value ? json_string(value) : json_null());
	}
	got = json_loads(ours->kafka_key, 0, NULL);
	differs = !json_equal(array, got);
	json_decref(array);
	json_decref(got);
	return differs;
}

/* ---- the report ---- */

void
comparison_report(const struct comparison *comparison)
{
	static const char *const names[COUNTS] = {
		"inserts", "updates with the full old row", "updates with the old key",
		"updates without an old row", "updates split",
		"deletes with the full row", "deletes with the key", "truncates",
		"nulls", "values unchanged",
		"unchanged values filled in",
		"deletes of an unknown row (ours alone)",
		"changes without a column (theirs alone)",
	};

	printf("compared %" PRIu64 " changes of %" PRIu64 " transactions (%" PRIu64
		   " records)\n", comparison->changes, comparison->transactions,
		   comparison->records);
	for (int i = 0; i < COUNTS; i++)
	{
		if (comparison->counts[i])
			printf("  %s: %" PRIu64 "\n", names[i], comparison->counts[i]);
	}
	printf("%" PRIu64 " differences\n", comparison->differences);
}
