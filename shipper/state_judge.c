/*
 * state_judge.c
 *		What the state record says about the server that is about to be read.
 */
#include "state_judge.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

#define FORGET	"\"wal2kafka drop --state\""

static char *known(const struct state *stored);
static enum judgement judge_server(const struct state *stored,
								   const struct standing *now,
								   const char *where,
								   struct judgement_words *words);
static enum judgement judge_history(const struct state *stored,
									const struct standing *now,
									struct judgement_words *words);
static char *forked(const struct state *stored, const struct standing *now);
static enum judgement judge_end(const struct state *stored,
								const struct standing *now,
								struct judgement_words *words);
static enum judgement judge_slot(const struct state *stored,
								 const struct standing *now,
								 struct judgement_words *words);

enum judgement
state_judge(const struct state *stored, const struct standing *now,
			const char *where, struct judgement_words *words)
{
	enum judgement judgement;

	*words = (struct judgement_words) {NULL, NULL};
	judgement = judge_server(stored, now, where, words);
	if (judgement == JUDGEMENT_GO)
		judgement = judge_history(stored, now, words);
	if (judgement == JUDGEMENT_GO)
		judgement = judge_end(stored, now, words);
	if (judgement == JUDGEMENT_GO)
		judgement = judge_slot(stored, now, words);
	return judgement;
}

lsn_t
state_judge_confirmed(const struct state *stored, const struct standing *now)
{
	if (stored->timeline < now->timeline && now->fork != LSN_INVALID &&
		now->fork < stored->confirmed)
		return now->fork;
	return stored->confirmed;
}

/*
 * A run that ended in the middle may have sent records after its record was
 * written, and a consumer knows them by their numbers: these depend on the
 * options.  A new version must be able to start all the same.
 */
enum judgement
state_judge_fingerprint(const struct state *stored, uint64_t fingerprint,
						struct judgement_words *words)
{
	*words = (struct judgement_words) {NULL, NULL};
	if (!stored->has_fingerprint || stored->fingerprint == fingerprint)
		return JUDGEMENT_GO;
	if (stored->clean || strcmp(stored->program, WAL2KAFKA_VERSION) != 0)
	{
		words->what = mem_format("settings that decide records, or the "
								 "version, have changed since the last run%s",
								 stored->clean ? "" : ", which did not end "
								 "cleanly: records that are sent again may "
								 "differ");
		return JUDGEMENT_GO;
	}
	words->what = mem_format("settings that decide which records there are "
							 "have changed (fingerprint %016" PRIx64 ", was "
							 "%016" PRIx64 "), and the last run did not end "
							 "between two transactions: consumers would take "
							 "other records for repeats",
							 fingerprint, stored->fingerprint);
	words->how = mem_strdup("Start once with the settings as they were, stop "
							"it when it has caught up, and change them then. "
							"If consumers can bear it, " FORGET
							" goes on at once.");
	return JUDGEMENT_REFUSE;
}

/* "LSN, its last record LSN/SEQ" */
static char *
known(const struct state *stored)
{
	if (stored->delivered.commit == LSN_INVALID)
		return mem_format(LSN_FORMAT, LSN_ARGS(stored->confirmed));
	return mem_format(LSN_FORMAT " (the last record known is " LSN_FORMAT
					  "/%" PRIu64 ")", LSN_ARGS(stored->confirmed),
					  LSN_ARGS(stored->delivered.commit),
					  stored->delivered.ordinal);
}

static enum judgement
judge_server(const struct state *stored, const struct standing *now,
			 const char *where, struct judgement_words *words)
{
	if (strcmp(stored->system, now->system) == 0)
		return JUDGEMENT_GO;
	words->what = mem_format("the state record of slot \"%s\" in %s is of "
							 "another server: system identifier %s, and this "
							 "one has %s", stored->slot, where,
							 stored->system, now->system);
	words->how = mem_strdup("Correct the conninfo; or, if another wal2kafka "
							"keeps its state there, set \"state\" or "
							"\"topic_prefix\". If this server takes the "
							"other's place, its positions mean nothing to "
							"consumers (doc/consumer.md); " FORGET
							" accepts that.");
	return JUDGEMENT_REFUSE;
}

/*
 * A newer timeline is a promoted standby, or a restore to a point in time.
 * What matters is whether it left the old one behind all that was sent.  One
 * that never was on the old one has another history from before that.
 */
static enum judgement
judge_history(const struct state *stored, const struct standing *now,
			  struct judgement_words *words)
{
	if (now->timeline < stored->timeline)
	{
		words->what = mem_format("the server is on timeline %u, and records "
								 "of timeline %u were sent",
								 now->timeline, stored->timeline);
		words->how = mem_strdup("It is a former primary, or was restored "
								"from an older copy: connect to the present "
								"primary. If this is to be it, its history "
								"is another than the topics'; bring the "
								"tables over again, see doc/consumer.md "
								"about positions, and run " FORGET ".");
		return JUDGEMENT_REFUSE;
	}
	if (now->timeline == stored->timeline ||
		stored->sent.commit == LSN_INVALID ||
		now->fork > stored->sent.commit)
		return JUDGEMENT_GO;
	words->what = forked(stored, now);
	words->how = mem_strdup("It was promoted without all of the old "
							"primary's log, or restored to an earlier point. "
							"Consumers would drop what it writes up to "
							"there: bring the tables over again, see "
							"doc/consumer.md about positions, and run "
							FORGET ".");
	return JUDGEMENT_REFUSE;
}

static char *
forked(const struct state *stored, const struct standing *now)
{
	char	   *delivered = known(stored);
	char	   *what;

	if (now->fork == LSN_INVALID)
		what = mem_format("the server's timeline %u did not come out of "
						  "timeline %u, of which records have been sent, up "
						  "to %s: the topics hold what this server never had",
						  now->timeline, stored->timeline, delivered);
	else
		what = mem_format("the server's timeline %u left timeline %u at "
						  LSN_FORMAT ", and what was committed behind that "
						  "has been sent, up to %s: the topics hold what "
						  "this server never had", now->timeline,
						  stored->timeline, LSN_ARGS(now->fork), delivered);
	free(delivered);
	return what;
}

/* A server that ends before what it was told is confirmed was put back. */
static enum judgement
judge_end(const struct state *stored, const struct standing *now,
		  struct judgement_words *words)
{
	lsn_t		least = state_needs(stored);
	char	   *delivered;

	if (now->timeline == stored->timeline && stored->confirmed > least)
		least = stored->confirmed;
	if (now->end >= least)
		return JUDGEMENT_GO;
	delivered = known(stored);
	words->what = mem_format("the server's log ends at " LSN_FORMAT ", and "
							 "everything was delivered up to %s",
							 LSN_ARGS(now->end), delivered);
	free(delivered);
	if (now->standby)
		return JUDGEMENT_WAIT;
	words->how = mem_strdup("It was restored from an older copy, and "
							"consumers would drop what it writes up to "
							"there. Make a new slot (\"wal2kafka drop --yes\""
							" and \"wal2kafka init\"), bring the tables over "
							"again, and see doc/consumer.md about positions.");
	return JUDGEMENT_REFUSE;
}

static enum judgement
judge_slot(const struct state *stored, const struct standing *now,
		   struct judgement_words *words)
{
	lsn_t		most = state_judge_confirmed(stored, now);
	char	   *delivered;
	char	   *less;

	if (now->slot <= most)
		return JUDGEMENT_GO;
	delivered = known(stored);
	less = most == stored->confirmed ? mem_strdup("") :
		mem_format(", of which timeline %u has no more than " LSN_FORMAT,
				   now->timeline, LSN_ARGS(most));
	words->what = mem_format("replication slot \"%s\" stands at " LSN_FORMAT
							 ", and wal2kafka confirmed no more than %s%s: "
							 "somebody moved it, or made it anew",
							 stored->slot, LSN_ARGS(now->slot), delivered,
							 less);
	free(less);
	words->how = mem_format("Everything up to " LSN_FORMAT " is delivered, "
							"and changes between the two may not be: bring "
							"the tables over again; then " FORGET " lets it "
							"go on from where the slot stands.",
							LSN_ARGS(most));
	free(delivered);
	return JUDGEMENT_REFUSE;
}
