/*
 * partition.h
 *		From a Kafka key to the number that chooses its partition.
 */
#ifndef KAFKA_PARTITION_H
#define KAFKA_PARTITION_H

#include "options.h"

/*
 * The hash of a key: its partition is the hash modulo the partition count.
 * PARTITIONER_MURMUR2 agrees with Java clients (Utils.murmur2 and toPositive
 * of kafka-clients), PARTITIONER_CRC32 with librdkafka's "consistent".
 */
extern uint32 wal2kafka_partition_hash(Wal2KafkaPartitioner partitioner,
									   const char *key, int len);

#endif							/* KAFKA_PARTITION_H */
