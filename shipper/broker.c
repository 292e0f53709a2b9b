/*
 * broker.c
 *		The Kafka half of "check".
 *
 * A bootstrap server that answers proves little: what clients then connect to
 * are the addresses that brokers advertise, so each of these is tried.
 */
#include "broker.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mem.h"
#include "producer.h"
#include "topic_check.h"
#include "transaction.h"

#define ANSWER_TRIES	6		/* of a second each, for the cluster */
#define CONNECT_TIMEOUT	3000	/* ms, for one address */
#define SHOWN			20		/* missing topics before they are counted */

/* what librdkafka complained about while nothing answered */
struct complaint
{
	rd_kafka_resp_err_t code;
	bool		all_down;		/* every bootstrap server was tried in vain */
	char		text[512];
};

static void
keep_complaint(rd_kafka_t *rk, int err, const char *reason, void *opaque)
{
	struct complaint *complaint = opaque;

	(void) rk;
	/* "all brokers down" says less than what came before it */
	if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
	{
		complaint->all_down = true;
		if (complaint->text[0] != '\0')
			return;
	}
	complaint->code = (rd_kafka_resp_err_t) err;
	snprintf(complaint->text, sizeof(complaint->text), "%s", reason);
}

static void
drop_log(const rd_kafka_t *rk, int level, const char *facility,
		 const char *text)
{
	(void) rk;
	(void) level;
	(void) facility;
	(void) text;
}

static const char *
bootstrap(const struct config *cfg)
{
	const char *servers = config_property(cfg, "bootstrap.servers");

	if (servers == NULL)
		servers = config_property(cfg, "metadata.broker.list");
	return servers ? servers : "HOST:PORT";
}

static rd_kafka_t *
open_client(const struct config *cfg, struct complaint *complaint,
			struct report *report)
{
	char		error[PRODUCER_ERROR_SIZE];
	rd_kafka_conf_t *conf = producer_conf(cfg, error, sizeof(error));
	rd_kafka_t *rk;

	if (conf == NULL)
	{
		report_problem(report, "%s", error);
		report_remedy(report, "Correct [kafka] in the config; librdkafka's "
					  "CONFIGURATION.md lists the properties.");
		return NULL;
	}
	rd_kafka_conf_set_error_cb(conf, keep_complaint);
	rd_kafka_conf_set_log_cb(conf, drop_log);
	rd_kafka_conf_set_opaque(conf, complaint);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
	if (rk == NULL)
	{
		rd_kafka_conf_destroy(conf);
		report_problem(report, "[kafka]: %s", error);
		report_remedy(report, "Correct [kafka] in the config.");
	}
	return rk;
}

static const char *
complaint_remedy(rd_kafka_resp_err_t code)
{
	switch ((int) code)
	{
		case RD_KAFKA_RESP_ERR__AUTHENTICATION:
		case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
			return "Check sasl.mechanism, sasl.username and sasl.password in "
				"[kafka].";
		case RD_KAFKA_RESP_ERR__SSL:
			return "Check security.protocol and ssl.ca.location in [kafka], "
				"and that the port is the one with TLS.";
		case RD_KAFKA_RESP_ERR__RESOLVE:
			return "Check the host names of bootstrap.servers in [kafka].";
		default:
			return "Check bootstrap.servers and security.protocol in [kafka], "
				"and that the broker runs and listens there.";
	}
}

/* --- addresses ------------------------------------------------------- */

/* NULL when something accepts connections there, else why not. */
static const char *
try_address(const struct addrinfo *address)
{
	int			fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK |
							SOCK_CLOEXEC, 0);
	struct pollfd pfd = {.fd = fd, .events = POLLOUT};
	int			error = 0;
	socklen_t	len = sizeof(error);

	if (fd < 0)
		return strerror(errno);
	if (connect(fd, address->ai_addr, address->ai_addrlen) != 0)
	{
		if (errno != EINPROGRESS)
			error = errno;
		else if (poll(&pfd, 1, CONNECT_TIMEOUT) <= 0)
			error = ETIMEDOUT;
		else
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	}
	close(fd);
	return error != 0 ? strerror(error) : NULL;
}

static const char *
try_host(const char *host, int port)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list;
	const char *why = "no address";
	char		service[16];
	int			error;

	snprintf(service, sizeof(service), "%d", port);
	error = getaddrinfo(host, service, &hints, &list);
	if (error != 0)
		return gai_strerror(error);
	for (struct addrinfo *at = list; at != NULL && why != NULL;
		 at = at->ai_next)
		why = try_address(at);
	freeaddrinfo(list);
	return why;
}

static void
check_addresses(const struct config *cfg,
				const struct rd_kafka_metadata *metadata,
				struct report *report)
{
	for (int i = 0; i < metadata->broker_cnt; i++)
	{
		const struct rd_kafka_metadata_broker *broker = &metadata->brokers[i];
		const char *why = try_host(broker->host, broker->port);

		if (why == NULL)
		{
			report_ok(report, "broker %d at %s:%d", broker->id, broker->host,
					  broker->port);
			continue;
		}
		report_problem(report, "%s answers, but broker %d advertises %s:%d, "
					   "which cannot be reached from here: %s",
					   bootstrap(cfg), broker->id, broker->host, broker->port,
					   why);
		report_remedy(report, "Set advertised.listeners of the broker to an "
					  "address that this machine can reach, or make %s "
					  "resolve and route here.", broker->host);
	}
}

/* --- topics ---------------------------------------------------------- */

static bool
same_but_for_dots(const char *a, const char *b)
{
	for (; *a != '\0' && *b != '\0'; a++, b++)
		if (*a != *b && !(strchr("._", *a) && strchr("._", *b)))
			return false;
	return *a == *b;
}

static const struct rd_kafka_metadata_topic *
find_topic(const struct rd_kafka_metadata *metadata, const char *name)
{
	for (int i = 0; i < metadata->topic_cnt; i++)
		if (strcmp(metadata->topics[i].topic, name) == 0 &&
			metadata->topics[i].err == RD_KAFKA_RESP_ERR_NO_ERROR)
			return &metadata->topics[i];
	return NULL;
}

/* A topic of the cluster that would forbid creating this one, or NULL. */
static const char *
find_twin(const struct rd_kafka_metadata *metadata, const char *name)
{
	for (int i = 0; i < metadata->topic_cnt; i++)
		if (strcmp(metadata->topics[i].topic, name) != 0 &&
			same_but_for_dots(metadata->topics[i].topic, name))
			return metadata->topics[i].topic;
	return NULL;
}

static void
collision(const char *one, const char *other, struct report *report)
{
	report_problem(report, "topics \"%s\" and \"%s\" differ only in \".\" "
				   "and \"_\", and Kafka refuses to have both", one, other);
	report_remedy(report, "Give one of the tables another topic: "
				  "[route SCHEMA.TABLE] with topic = NAME in the config, or "
				  "wal2kafka.set_route().");
}

static void
check_collisions(const struct names *topics, struct report *report)
{
	for (size_t i = 0; i < topics->count; i++)
		for (size_t j = i + 1; j < topics->count; j++)
			if (strcmp(topics->name[i], topics->name[j]) != 0 &&
				same_but_for_dots(topics->name[i], topics->name[j]))
				collision(topics->name[i], topics->name[j], report);
}

static void
report_missing(const struct config *cfg, const char *topic,
			   struct report *report)
{
	if (cfg->topics == TOPICS_CREATE)
	{
		report_note(report, "topic \"%s\" will be created", topic);
		return;
	}
	report_problem(report, "topic \"%s\" does not exist, or may not be seen",
				   topic);
	report_remedy(report, "kafka-topics.sh --bootstrap-server %s --create "
				  "--topic %s --partitions %d --replication-factor %d (or "
				  "topics = create in [wal2kafka])", bootstrap(cfg), topic,
				  cfg->topic_partitions > 0 ? cfg->topic_partitions : 6,
				  cfg->topic_replication_factor > 0 ?
				  cfg->topic_replication_factor : 3);
}

static void
check_topics(const struct config *cfg,
			 const struct rd_kafka_metadata *metadata,
			 const struct names *topics, struct report *report)
{
	size_t		missing = 0;

	for (size_t i = 0; i < topics->count; i++)
	{
		const char *twin;

		if (find_topic(metadata, topics->name[i]) != NULL)
			continue;
		twin = find_twin(metadata, topics->name[i]);
		if (twin != NULL)
			collision(topics->name[i], twin, report);
		else if (missing++ < SHOWN)
			report_missing(cfg, topics->name[i], report);
	}
	if (missing > SHOWN)
		report_problem(report, "%zu more topics do not exist",
					   missing - SHOWN);
	if (missing == 0 && topics->count > 0)
		report_ok(report, "%zu topic%s", topics->count,
				  topics->count == 1 ? "" : "s");
}

/* Trying the id would take it from the shipper that runs. */
static void
note_rights(const struct config *cfg, struct report *report)
{
	char	   *id;

	if (cfg->processing_guarantee != EXACTLY_ONCE)
		return;
	id = transaction_id(cfg);
	report_note(report, "whether transactional id \"%s\" may be used is not "
				"tried: where Kafka has access rules, it takes WRITE and "
				"DESCRIBE on TransactionalId %s", id, id);
	free(id);
}

/* --- the whole ------------------------------------------------------- */

/*
 * "ADDRESS/ID: why" is of a broker that another told of; the ID of one that
 * only the config names is "bootstrap".
 */
static bool
is_advertised(const char *complaint)
{
	const char *end = strstr(complaint, ": ");
	const char *id = end;

	while (id != NULL && id > complaint && isdigit((unsigned char) id[-1]))
		id--;
	return id != NULL && id < end && id > complaint && id[-1] == '/';
}

static void
report_silence(const struct config *cfg, rd_kafka_resp_err_t err,
			   const struct complaint *complaint, struct report *report)
{
	if (is_advertised(complaint->text))
	{
		/* from 2.11 on librdkafka itself goes on there */
		report_problem(report, "%s answers, but a broker advertises what "
					   "cannot be reached from here: %s", bootstrap(cfg),
					   complaint->text);
		report_remedy(report, "Set advertised.listeners of the broker to an "
					  "address that this machine can reach, or make its host "
					  "name resolve and route here.");
		return;
	}
	report_problem(report, "no Kafka broker answers at %s: %s",
				   bootstrap(cfg), complaint->text[0] != '\0' ?
				   complaint->text : rd_kafka_err2str(err));
	report_remedy(report, "%s", complaint_remedy(complaint->code));
	if (complaint->code == RD_KAFKA_RESP_ERR__AUTHENTICATION &&
		producer_login_hint(cfg) != NULL)
		report_remedy(report, "%s", producer_login_hint(cfg));
}

/* Waits for a broker, but not long when each of them has refused. */
static rd_kafka_resp_err_t
ask(rd_kafka_t *rk, const struct complaint *complaint,
	const struct rd_kafka_metadata **metadata)
{
	rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR__TIMED_OUT;

	for (int i = 0; i < ANSWER_TRIES; i++)
	{
		err = rd_kafka_metadata(rk, 1, NULL, metadata, 1000);
		while (rd_kafka_poll(rk, 0) > 0)
			;
		if (err == RD_KAFKA_RESP_ERR_NO_ERROR ||
			(i > 0 && complaint->all_down))
			break;
	}
	return err;
}

void
broker_check(const struct config *cfg, const struct names *topics,
			 const struct capture *capture, struct report *report)
{
	struct complaint complaint = {RD_KAFKA_RESP_ERR_NO_ERROR, false, ""};
	const struct rd_kafka_metadata *metadata;
	rd_kafka_resp_err_t err;
	rd_kafka_t *rk = open_client(cfg, &complaint, report);

	check_collisions(topics, report);
	if (rk == NULL)
		return;
	err = ask(rk, &complaint, &metadata);
	if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
		report_silence(cfg, err, &complaint, report);
	else
	{
		check_addresses(cfg, metadata, report);
		check_topics(cfg, metadata, topics, report);
		topic_check(rk, cfg, metadata, topics, capture, report);
		note_rights(cfg, report);
		rd_kafka_metadata_destroy(metadata);
	}
	rd_kafka_destroy(rk);
}
