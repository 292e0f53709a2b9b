/*
 * sink.c
 *		Which sink the config names.
 */
#include "sink.h"

#include "local.h"
#include "producer.h"

struct sink *
sink_open(const struct config *config, struct ledger *ledger)
{
	if (config->sink == SINK_KAFKA)
		return producer_ops.open(config, ledger);
	return local_ops.open(config, ledger);
}

size_t
sink_max_record(const struct config *config)
{
	return config->sink == SINK_KAFKA ? producer_max_record(config) : 0;
}
