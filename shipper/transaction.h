/*
 * transaction.h
 *		Exactly once: records and the position behind them, in one Kafka
 *		transaction after the other.
 *
 * A producer has one of these when processing_guarantee is exactly_once.  The
 * ledger then holds every frame until the transaction that has its last
 * record, and the position behind it, is committed; a larger transaction of
 * PostgreSQL spans several of Kafka.  Nothing is tried twice: whatever fails,
 * or has an outcome that is not known, makes the producer broken, and the next
 * one takes the transactional id and reads the position anew.
 */
#ifndef TRANSACTION_H
#define TRANSACTION_H

#include <stdbool.h>
#include <librdkafka/rdkafka.h>

#include "ledger.h"
#include "sink.h"

struct keeper;
struct producer;
struct transaction;

/* The transactional id, to be freed: of [kafka], or of prefix and slot. */
extern char *transaction_id(const struct config *config);

/* Sets it.  False with a message in err. */
extern bool transaction_configure(const struct config *config,
								  rd_kafka_conf_t *conf, char *err,
								  size_t errsize);

/* Borrows the producer. */
extern struct transaction *transaction_open(struct producer *producer);

/* How far getting ready to send is; see sink.h. */
extern enum sink_stage transaction_stage(const struct transaction *transaction);

/*
 * Takes the id from whoever has it, then reads the position into the ledger,
 * which is empty.  Only when the slot is free: its reader would be fenced.
 * Borrows the keeper, which composes the record of the position.
 */
extern void transaction_prepare(struct transaction *transaction,
								struct keeper *keeper);

/* Whether a record may be produced now. */
extern bool transaction_takes(const struct transaction *transaction);

/* Records up to that position were produced. */
extern void transaction_sent(struct transaction *transaction,
							 struct position position);

/* Whether records were sent that are not committed. */
extern bool transaction_is_dirty(const struct transaction *transaction);

/* Its own record, the only one without a struct topic, was delivered. */
extern void transaction_delivered(struct transaction *transaction);

/* What a failure means that no record of a topic has; its hint is logged. */
extern enum sink_health transaction_judge(rd_kafka_resp_err_t err);

/* A request may have been carried out, or be so later, without an answer. */
extern void transaction_doubt(struct transaction *transaction);

/* Goes on as far as can be without waiting. */
extern enum sink_health transaction_step(struct transaction *transaction);

/* ms until the next step is due; -1: when woken */
extern int	transaction_timeout(const struct transaction *transaction);

/*
 * In the thread that lets go, when librdkafka holds no record any more: ends
 * the committer, aborts what is open, so that readers need not wait for it.
 */
extern void transaction_close(struct transaction *transaction);

#endif							/* TRANSACTION_H */
