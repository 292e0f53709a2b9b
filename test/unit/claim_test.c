/*
 * claim_test.c
 *		A slot that stands further than this program left it.  Prints TAP.
 */
#include <stdlib.h>
#include <string.h>

#include "claim.h"
#include "earlier.h"
#include "mem.h"
#include "slot.h"
#include "start.h"
#include "tap.h"

static const char *stands;		/* the slot */

/* --- a server that answers at once ----------------------------------- */

struct server
{
	int			nothing;
};

static struct server the_server;

struct server *
server_open(const struct config *cfg, enum exit_status *status)
{
	return &the_server;
}

void
server_close(struct server *server)
{
}

enum exit_status
server_status(const struct server *server)
{
	return EXIT_RESTART;
}

bool
slot_read(struct server *server, const char *name, struct slot *slot)
{
	*slot = (struct slot) {.exists = true,.confirmed = mem_strdup(stands)};
	return true;
}

char *
slot_fault(const struct slot *slot, const char *name, struct server *server,
		   char **remedy)
{
	return NULL;
}

void
slot_free(struct slot *slot)
{
	free(slot->confirmed);
}

enum exit_status
start_check(struct server *server, const struct config *cfg, char **routes)
{
	return EXIT_ASKED;
}

enum exit_status
earlier_vanished(const struct config *cfg)
{
	return EXIT_ASKED;
}

/* --- what is done with it -------------------------------------------- */

int
main(void)
{
	struct config config = {.slot = "slot"};
	struct ledger ledger;
	struct claim claim;
	char	   *routes;

	ledger_init(&ledger, free);
	claim_init(&claim, &config, &ledger);

	stands = "0/100";
	ok(claim_ask(&claim, true, &routes) == CLAIM_GRANTED, "it is free");
	ok(claim_have(&claim, 1, 0x100) == CLAIM_GRANTED,
	   "it stands where the record says");

	stands = "0/200";
	ok(claim_have(&claim, 2, 0x100) == CLAIM_LATER,
	   "moved on after the record was read: this is looked at again");
	ok(claim_ask(&claim, true, &routes) == CLAIM_GRANTED && claim.passed,
	   "and is known to have been another's meanwhile");
	ok(claim_have(&claim, 3, 0x200) == CLAIM_GRANTED,
	   "the record of the other explains it");

	stands = "0/300";
	ok(claim_have(&claim, 4, LSN_INVALID) == CLAIM_REFUSED &&
	   claim.status == EXIT_PERSON, "without a record it is for a person");
	return tap_done();
}
