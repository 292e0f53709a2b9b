/*
 * transaction.c
 *		Exactly once: when a transaction ends, and what is in it.
 *
 * A transaction is always open.  It ends when all that was sent is delivered
 * and nothing more came, or when it is old or large enough: then no record is
 * taken, the position goes behind the records, and when everything has its
 * delivery report the committer commits.  Only that lets go of the frames.
 */
#include "transaction.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "committer.h"
#include "kafka_reaction.h"
#include "keeper.h"
#include "log.h"
#include "mem.h"
#include "metrics.h"
#include "pin.h"
#include "producer_state.h"
#include "store.h"

#define AGE_MS			100		/* of a transaction under load */
#define QUIET_MS		1000	/* between positions without records */
#define PATIENCE_MS		10000	/* until it is told what is waited for */
#define ABORT_MS		3000

enum phase
{
	PHASE_NEW,
	PHASE_PREPARING,				/* the committer is on it */
	PHASE_OPEN,					/* takes records */
	PHASE_CLOSING,				/* reports are awaited */
	PHASE_COMMITTING,			/* the committer is on it */
	PHASE_FAILED,
};

struct transaction
{
	struct producer *producer;	/* borrowed */
	struct ledger *ledger;		/* borrowed */
	struct keeper *keeper;		/* borrowed; from prepare() on */
	struct committer *committer;	/* owned */
	rd_kafka_topic_t *topic;	/* owned; of the position */
	enum phase	phase;
	struct position sent;		/* of the last record produced */
	bool		dirty;			/* records were produced */
	bool		doubted;
	bool		complained;		/* that it takes long to get ready */
	int64_t		began;			/* ms; when its first record was, or when the
								 * last one ended */
	struct ledger_entry *through;	/* borrowed; last that it completes */
	char	   *position;		/* owned; the record on its way, or NULL */
	bool		unsent;			/* it waits for room in the queue */
};

static enum sink_health collect(struct transaction *transaction);
static void complain(struct transaction *transaction);
static enum sink_health fail(struct transaction *transaction,
							 const struct committer_result *result);
static void take_position(struct transaction *transaction,
						  const struct committer_result *result);
static enum sink_health committed(struct transaction *transaction);
static bool is_due(const struct transaction *transaction);
static void close_it(struct transaction *transaction);
static void send_position(struct transaction *transaction);

char *
transaction_id(const struct config *config)
{
	const char *own = config_property(config, "transactional.id");

	return own != NULL ? mem_strdup(own) :
		mem_format("%s%swal2kafka.%s", config->topic_prefix,
				   *config->topic_prefix != '\0' ? "." : "", config->slot);
}

bool
transaction_configure(const struct config *config, rd_kafka_conf_t *conf,
					  char *err, size_t errsize)
{
	char	   *id = transaction_id(config);
	bool		ok = rd_kafka_conf_set(conf, "transactional.id", id, err,
									   errsize) == RD_KAFKA_CONF_OK;

	committer_configure(conf);
	free(id);
	return ok;
}

struct transaction *
transaction_open(struct producer *producer)
{
	struct transaction *transaction = mem_zalloc(sizeof(*transaction));
	char	   *topic = store_topic_name(producer->config);

	transaction->producer = producer;
	transaction->ledger = producer->ledger;
	transaction->topic = rd_kafka_topic_new(producer->kafka, topic, NULL);
	transaction->committer = committer_open(producer->config, producer->kafka,
											producer->wake[1]);
	if (transaction->topic == NULL)
		abort();				/* config_check() has looked at the name */
	free(topic);
	return transaction;
}

enum sink_stage
transaction_stage(const struct transaction *transaction)
{
	switch (transaction->phase)
	{
		case PHASE_NEW:
			return SINK_UNPREPARED;
		case PHASE_PREPARING:
		case PHASE_FAILED:
			return SINK_PREPARING;
		default:
			return SINK_READY;
	}
}

void
transaction_prepare(struct transaction *transaction, struct keeper *keeper)
{
	transaction->keeper = keeper;
	transaction->phase = PHASE_PREPARING;
	transaction->began = clock_ms();
	committer_start(transaction->committer, COMMITTER_PREPARE);
}

bool
transaction_takes(const struct transaction *transaction)
{
	return transaction->phase == PHASE_OPEN;
}

void
transaction_sent(struct transaction *transaction, struct position position)
{
	if (!transaction->dirty)
		transaction->began = clock_ms();
	transaction->dirty = true;
	transaction->sent = position;
}

bool
transaction_is_dirty(const struct transaction *transaction)
{
	return transaction->dirty;
}

void
transaction_delivered(struct transaction *transaction)
{
	free(transaction->position);
	transaction->position = NULL;
}

enum sink_health
transaction_judge(rd_kafka_resp_err_t err)
{
	enum sink_health health = HEALTH_BROKEN;
	const char *hint;

	switch (kafka_reaction_find(err, &hint))
	{
		case KAFKA_ACCESS:
			if (!pin_any_worked())
				health = HEALTH_HOPELESS;
			break;
		case KAFKA_PERSON:
			health = HEALTH_HOPELESS;
			break;
		default:
			break;
	}
	if (hint != NULL)
		log_hint("%s", hint);
	return health;
}

void
transaction_doubt(struct transaction *transaction)
{
	transaction->doubted |= transaction->dirty ||
		transaction->phase == PHASE_COMMITTING;
}

enum sink_health
transaction_step(struct transaction *transaction)
{
	const struct producer *producer = transaction->producer;
	enum sink_health health = collect(transaction);

	if (health != HEALTH_FINE)
		return health;
	if (transaction->phase == PHASE_PREPARING)
		complain(transaction);
	if (transaction->phase == PHASE_OPEN && is_due(transaction))
		close_it(transaction);
	if (transaction->unsent)
		send_position(transaction);
	if (transaction->phase == PHASE_CLOSING && producer->outstanding == 0 &&
		transaction->position == NULL)
	{
		transaction->phase = PHASE_COMMITTING;
		committer_start(transaction->committer, COMMITTER_COMMIT);
	}
	return transaction->phase == PHASE_FAILED ? HEALTH_BROKEN : HEALTH_FINE;
}

int
transaction_timeout(const struct transaction *transaction)
{
	int64_t		left;

	if (transaction->unsent)
		return 10;
	if (transaction->phase == PHASE_PREPARING && !transaction->complained)
		return PATIENCE_MS;
	if (transaction->phase != PHASE_OPEN ||
		(!transaction->dirty && ledger_is_empty(transaction->ledger) &&
		 !keeper_has_news(transaction->keeper)))
		return -1;
	left = transaction->began + (transaction->dirty ? AGE_MS : QUIET_MS) -
		clock_ms();
	if (left > 0)
		return (int) left;
	/* what keeps it open then, a report or an answer, wakes the loop */
	return is_due(transaction) ? 0 : -1;
}

/* Errors do not matter: the next producer, or the broker's clock, aborts too. */
void
transaction_close(struct transaction *transaction)
{
	rd_kafka_error_t *error;

	committer_close(transaction->committer);
	error = rd_kafka_abort_transaction(transaction->producer->kafka, ABORT_MS);
	if (error != NULL)
		rd_kafka_error_destroy(error);
	rd_kafka_topic_destroy(transaction->topic);
	free(transaction->position);
	free(transaction);
}

/* What the committer has done meanwhile. */
static enum sink_health
collect(struct transaction *transaction)
{
	struct committer_result result;

	if (!committer_done(transaction->committer, &result))
		return HEALTH_FINE;
	if (result.failed)
		return fail(transaction, &result);
	transaction->doubted |= result.repeated;
	if (result.job == COMMITTER_COMMIT)
		return committed(transaction);
	take_position(transaction, &result);
	return HEALTH_FINE;
}

static void
complain(struct transaction *transaction)
{
	if (transaction->complained ||
		clock_ms() - transaction->began < PATIENCE_MS)
		return;
	transaction->complained = true;
	log_warning("still waiting for Kafka to hand out the transactional id and "
				"the position: a transaction that a killed program left open, "
				"here or of another slot, ends by itself after its "
				"transaction.timeout.ms");
}

static enum sink_health
fail(struct transaction *transaction, const struct committer_result *result)
{
	transaction->phase = PHASE_FAILED;
	metrics.transactions_failed++;
	metrics_kafka_error(rd_kafka_err2name(result->err));
	log_error("could not %s: %s", result->job == COMMITTER_COMMIT ?
			  "commit a Kafka transaction" :
			  "begin with Kafka transactions", result->text);
	return transaction_judge(result->err);
}

/* What is at or below it is never sent again: see take_record(). */
static void
take_position(struct transaction *transaction,
			  const struct committer_result *result)
{
	struct ledger *ledger = transaction->ledger;
	const struct state *state = &result->state;

	keeper_found(transaction->keeper, result->found ? state : NULL);
	if (result->found)
	{
		log_info("the position in Kafka is " LSN_FORMAT "/%" PRIu64
				 ", everything below " LSN_FORMAT " is there",
				 LSN_ARGS(state->delivered.commit), state->delivered.ordinal,
				 LSN_ARGS(state->confirmed));
		if (position_is_after(state->sent, state->delivered))
			log_warning("the last run was not exactly once and did not stop "
						"in order: records up to " LSN_FORMAT "/%" PRIu64
						" may be in Kafka twice", LSN_ARGS(state->sent.commit),
						state->sent.ordinal);
		ledger->acked = ledger->sent = state->delivered;
		if (state->confirmed > ledger->confirmable)
			ledger->confirmable = state->confirmed;
	}
	transaction->producer->resent = ledger->sent;
	transaction->sent = ledger->acked;
	transaction->phase = PHASE_OPEN;
	transaction->began = clock_ms();
}

/*
 * After a connection was lost on the way, a request that was repeated may be
 * carried out once more, when the next transaction is open already.  A new
 * producer has a new epoch, and the old request is refused.
 */
static enum sink_health
committed(struct transaction *transaction)
{
	keeper_committed(transaction->keeper);
	metrics.transactions_committed++;
	ledger_release(transaction->ledger, transaction->through);
	transaction->through = NULL;
	transaction->dirty = false;
	transaction->phase = PHASE_OPEN;
	transaction->began = clock_ms();
	if (!transaction->doubted)
		return HEALTH_FINE;
	log_info("a connection to Kafka was lost during a transaction, or a commit "
			 "asked for twice: going on with a new producer");
	transaction->phase = PHASE_FAILED;
	return HEALTH_BROKEN;
}

static bool
is_due(const struct transaction *transaction)
{
	const struct producer *producer = transaction->producer;
	const struct ledger *ledger = transaction->ledger;
	int64_t		age = clock_ms() - transaction->began;

	if (!transaction->dirty)
		return age >= QUIET_MS && (ledger_settled(ledger) != NULL ||
								   keeper_has_news(transaction->keeper));
	return (producer->outstanding == 0 && !producer->stalled) ||
		age >= AGE_MS ||
		ledger->size >= producer->config->max_in_flight / 2;
}

/*
 * All frames before the last are sent whole, and the last one if nothing of it
 * is outstanding.
 */
static void
close_it(struct transaction *transaction)
{
	lsn_t		confirmable = transaction->ledger->confirmable;

	transaction->through = ledger_settled(transaction->ledger);
	if (transaction->through != NULL &&
		transaction->through->safe > confirmable)
		confirmable = transaction->through->safe;
	transaction->position = keeper_record(transaction->keeper, confirmable,
										  transaction->sent);
	transaction->phase = PHASE_CLOSING;
	send_position(transaction);
}

static void
send_position(struct transaction *transaction)
{
	const struct config *config = transaction->producer->config;
	rd_kafka_resp_err_t err;

	err = rd_kafka_producev(transaction->producer->kafka,
							RD_KAFKA_V_RKT(transaction->topic),
							RD_KAFKA_V_PARTITION(0),
							RD_KAFKA_V_MSGFLAGS(0),
							RD_KAFKA_V_KEY(config->slot,
										   strlen(config->slot)),
							RD_KAFKA_V_VALUE(transaction->position,
											 strlen(transaction->position)),
							RD_KAFKA_V_OPAQUE(transaction),
							RD_KAFKA_V_END);
	transaction->unsent = err == RD_KAFKA_RESP_ERR__QUEUE_FULL;
	if (err == RD_KAFKA_RESP_ERR_NO_ERROR || transaction->unsent)
		return;
	log_error("could not send the position: %s", rd_kafka_err2str(err));
	transaction->phase = PHASE_FAILED;
}
