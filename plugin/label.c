/*
 * label.c
 *		The label provider: what is accepted, and on what.
 *
 * The library is loaded into ordinary sessions to check labels, so nothing
 * here depends on logical decoding.  The rules may grow laxer in later
 * versions, never stricter: a dump of today must restore then.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_class.h"
#include "commands/seclabel.h"
#include "miscadmin.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"

#include "label.h"
#include "topicname.h"

#define LABEL_SIZE_MAX	1024
#define TOPIC_LABEL		"topic="
#define KEY_LABEL		"key="

static void check_object(const ObjectAddress *object);
static void check_text(const ObjectAddress *object, const char *label);

void
wal2kafka_register_label_provider(void)
{
	register_label_provider(WAL2KAFKA_LABEL_PROVIDER, wal2kafka_label_check);
}

void
wal2kafka_label_check(const ObjectAddress *object, const char *label)
{
	/* pg_upgrade carries over what the old server held, whatever it is */
	if (label != NULL && !IsBinaryUpgrade)
	{
		check_object(object);
		check_text(object, label);
	}
	if (object->classId == RelationRelationId)
		CacheInvalidateRelcacheByRelid(object->objectId);
}

const char *
wal2kafka_label_topic(const char *label)
{
	const char *topic = label + strlen(TOPIC_LABEL);

	if (strncmp(label, TOPIC_LABEL, strlen(TOPIC_LABEL)) != 0 ||
		!topic_name_is_legal(topic))
		return NULL;
	return topic;
}

int
wal2kafka_label_key(const char *label)
{
	const char *digits = label + strlen(KEY_LABEL);
	size_t		len;
	int			ordinal;

	if (strncmp(label, KEY_LABEL, strlen(KEY_LABEL)) != 0)
		return 0;
	len = strlen(digits);
	if (len == 0 || len > 4 || digits[0] == '0' ||
		strspn(digits, "0123456789") != len)
		return 0;
	ordinal = atoi(digits);
	return ordinal <= MaxHeapAttributeNumber ? ordinal : 0;
}

static void
check_object(const ObjectAddress *object)
{
	char		relkind = '\0';

	if (object->classId == RelationRelationId)
		relkind = get_rel_relkind(object->objectId);

	if (relkind != RELKIND_RELATION && relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("%s cannot have a label of provider \"%s\"",
						getObjectDescription(object, false),
						WAL2KAFKA_LABEL_PROVIDER),
				 errdetail("Only tables, partitioned tables and their columns can.")));
	if (object->objectId < FirstNormalObjectId)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("%s cannot have a label of provider \"%s\"",
						getObjectDescription(object, false),
						WAL2KAFKA_LABEL_PROVIDER),
				 errdetail("System tables are never captured.")));
	if (object->objectSubId < 0)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("%s cannot have a label of provider \"%s\"",
						getObjectDescription(object, false),
						WAL2KAFKA_LABEL_PROVIDER),
				 errdetail("System columns are never published.")));
}

static void
check_text(const ObjectAddress *object, const char *label)
{
	if (strlen(label) > LABEL_SIZE_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("security label of %s is too long: %zu bytes",
						getObjectDescription(object, false), strlen(label)),
				 errdetail("A label of provider \"%s\" has at most %d bytes.",
						   WAL2KAFKA_LABEL_PROVIDER, LABEL_SIZE_MAX)));

	if (object->objectSubId == 0 && wal2kafka_label_topic(label) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid security label \"%s\" for %s",
						label, getObjectDescription(object, false)),
				 errdetail("The label of a table is \"topic=NAME\"; a topic's name has 1 to %d characters out of a-z, A-Z, 0-9, \".\", \"_\" and \"-\", and is neither \".\" nor \"..\".",
						   TOPIC_NAME_MAX)));

	if (object->objectSubId != 0 && wal2kafka_label_key(label) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid security label \"%s\" for %s",
						label, getObjectDescription(object, false)),
				 errdetail("The label of a column is \"key=N\", where N is its place in the key: 1, 2, ...")));
}
