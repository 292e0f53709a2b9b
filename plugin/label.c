/*
 * label.c
 *		The label provider: what is accepted, and on what; and the event
 *		trigger that makes plain SECURITY LABEL work and keeps labels from
 *		being orphaned.
 *
 * The library is loaded into ordinary sessions to check labels, so nothing
 * here depends on logical decoding.  The rules may grow laxer in later
 * versions, never stricter: a dump of today must restore then.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/pg_class.h"
#include "catalog/pg_seclabel.h"
#include "commands/event_trigger.h"
#include "commands/seclabel.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "label.h"
#include "topicname.h"

#define LABEL_SIZE_MAX	1024
#define TOPIC_LABEL		"topic="
#define KEY_LABEL		"key="

PG_FUNCTION_INFO_V1(wal2kafka_ddl_command_start);

static void check_object(const ObjectAddress *object);
static void check_text(const ObjectAddress *object, const char *label);
static bool drops_extension(Node *parsetree);
static bool labels_exist(void);

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

/*
 * Fires before SECURITY LABEL and DROP EXTENSION.  For the former nothing is
 * left to do: calling the function has loaded the library, and that registered
 * the provider; the table's owner could not have loaded it by hand.
 */
Datum
wal2kafka_ddl_command_start(PG_FUNCTION_ARGS)
{
	EventTriggerData *event;

	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		elog(ERROR, "not fired by the event trigger manager");

	event = (EventTriggerData *) fcinfo->context;
	if (drops_extension(event->parsetree) && labels_exist())
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("cannot drop extension \"wal2kafka\" because tables have routes"),
				 errdetail("Labels without the library that knows them stop pg_upgrade and restores."),
				 errhint("To remove them: SELECT wal2kafka.reset_route(oid) FROM (SELECT DISTINCT objoid FROM pg_seclabel WHERE provider = 'wal2kafka') AS labelled(oid);")));
	PG_RETURN_NULL();
}

static bool
drops_extension(Node *parsetree)
{
	DropStmt   *drop = (DropStmt *) parsetree;
	ListCell   *cell;

	if (!IsA(parsetree, DropStmt) || drop->removeType != OBJECT_EXTENSION)
		return false;
	foreach(cell, drop->objects)
		if (strcmp(strVal(lfirst(cell)), "wal2kafka") == 0)
			return true;
	return false;
}

static bool
labels_exist(void)
{
	Relation	seclabel = table_open(SecLabelRelationId, AccessShareLock);
	bool		found = false;
	ScanKeyData key;
	SysScanDesc scan;

	ScanKeyInit(&key, Anum_pg_seclabel_provider, BTEqualStrategyNumber,
				F_TEXTEQ, CStringGetTextDatum(WAL2KAFKA_LABEL_PROVIDER));
	scan = systable_beginscan(seclabel, InvalidOid, false, NULL, 1, &key);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(seclabel, AccessShareLock);
	return found;
}
