-- wal2kafka--1.0.sql: routes of tables, and what would be sent

\echo Use "CREATE EXTENSION wal2kafka" to load this file. \quit

-- fails where somebody else owns such a schema: its owner could add overloads
CREATE SCHEMA wal2kafka;
GRANT USAGE ON SCHEMA wal2kafka TO PUBLIC;

-- Routes

CREATE FUNCTION wal2kafka.set_route(
	relation regclass,
	topic text DEFAULT NULL,
	key text[] DEFAULT NULL)
RETURNS void
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'wal2kafka_set_route';

COMMENT ON FUNCTION wal2kafka.set_route(regclass, text, text[]) IS
'replaces the route of a table by this topic and this key; null: the default';

CREATE FUNCTION wal2kafka.reset_route(relation regclass)
RETURNS void
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'wal2kafka_reset_route';

COMMENT ON FUNCTION wal2kafka.reset_route(regclass) IS
'removes the route of a table';

CREATE FUNCTION wal2kafka.label_route(
	relation regclass,
	OUT topic text,
	OUT key text[],
	OUT topic_source text,
	OUT key_source text)
LANGUAGE C STABLE STRICT
AS 'MODULE_PATHNAME', 'wal2kafka_label_route';

COMMENT ON FUNCTION wal2kafka.label_route(regclass) IS
'topic and key of a table as far as labels say so';

-- The key that a table has without a route: the columns of its replica
-- identity in their index's order, under FULL those of its primary key.
CREATE VIEW wal2kafka.routes AS
SELECT c.oid::regclass AS relation,
	r.topic,
	coalesce(r.key, i.key) AS key,
	r.topic_source,
	coalesce(r.key_source, i.source, 'none') AS key_source
FROM pg_catalog.pg_class c
	CROSS JOIN LATERAL wal2kafka.label_route(c.oid) r
	LEFT JOIN LATERAL (
		SELECT array_agg(a.attname::text ORDER BY k.ordinal),
			CASE WHEN x.indisprimary THEN 'primary key'
				ELSE 'replica identity' END
		FROM pg_catalog.pg_index x
			CROSS JOIN unnest(x.indkey::int2[])
				WITH ORDINALITY AS k(attnum, ordinal)
			JOIN pg_catalog.pg_attribute a
				ON a.attrelid = x.indrelid AND a.attnum = k.attnum
		WHERE x.indrelid = c.oid
			AND x.indisvalid AND x.indimmediate
			AND k.ordinal <= x.indnkeyatts
			AND CASE c.relreplident
				WHEN 'd' THEN x.indisprimary
				WHEN 'f' THEN x.indisprimary
				WHEN 'i' THEN x.indisreplident
				ELSE false END
		GROUP BY x.indexrelid, x.indisprimary
	) AS i(key, source) ON true
WHERE c.relkind IN ('r', 'p')
	AND pg_catalog.pg_relation_is_publishable(c.oid)
	AND r.topic IS NOT NULL;

COMMENT ON VIEW wal2kafka.routes IS
'every table that can be captured: its topic, its key, and who says so';

GRANT SELECT ON wal2kafka.routes TO PUBLIC;

CREATE FUNCTION wal2kafka.ddl_command_start()
RETURNS event_trigger
LANGUAGE C
AS 'MODULE_PATHNAME', 'wal2kafka_ddl_command_start';

REVOKE ALL ON FUNCTION wal2kafka.ddl_command_start() FROM PUBLIC;

-- DROP SCHEMA could drop the extension too, but where the library is missing
-- this trigger makes its commands fail: better few of them.
CREATE EVENT TRIGGER wal2kafka_ddl_command_start
ON ddl_command_start
WHEN TAG IN ('SECURITY LABEL', 'DROP EXTENSION')
EXECUTE FUNCTION wal2kafka.ddl_command_start();

-- Messages: records for any topic, part of a transaction or not

CREATE FUNCTION wal2kafka.emit_message(
	topic text,
	key text,
	value text,
	headers jsonb DEFAULT NULL,
	transactional bool DEFAULT true)
RETURNS pg_lsn
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'wal2kafka_emit_message_text';

COMMENT ON FUNCTION wal2kafka.emit_message(text, text, text, jsonb, bool) IS
'writes a message for a topic; published if message_topics lists the topic';

CREATE FUNCTION wal2kafka.emit_message(
	topic text,
	key text,
	value bytea,
	headers jsonb DEFAULT NULL,
	transactional bool DEFAULT true)
RETURNS pg_lsn
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'wal2kafka_emit_message_bytea';

COMMENT ON FUNCTION wal2kafka.emit_message(text, text, bytea, jsonb, bool) IS
'writes a message for a topic; published if message_topics lists the topic';

-- What would be sent

CREATE FUNCTION wal2kafka.unframe(
	frame bytea,
	OUT lsn pg_lsn,
	OUT seq_id bigint,
	OUT topic text,
	OUT key text,
	OUT value text)
RETURNS SETOF record
LANGUAGE C IMMUTABLE STRICT
AS 'MODULE_PATHNAME', 'wal2kafka_unframe';

COMMENT ON FUNCTION wal2kafka.unframe(bytea) IS
'the records in a frame that the SQL interface of logical decoding returned';

-- its input is raw bytes, and nobody needs it to use the product
REVOKE ALL ON FUNCTION wal2kafka.unframe(bytea) FROM PUBLIC;

CREATE FUNCTION wal2kafka.peek_changes(
	slot name,
	max_records int DEFAULT 100,
	VARIADIC options text[] DEFAULT '{}',
	OUT lsn pg_lsn,
	OUT seq_id bigint,
	OUT topic text,
	OUT key text,
	OUT value text)
RETURNS SETOF record
LANGUAGE C VOLATILE STRICT
AS 'MODULE_PATHNAME', 'wal2kafka_peek_changes';

COMMENT ON FUNCTION wal2kafka.peek_changes(name, int, text[]) IS
'what a slot would send next, without consuming it';

-- Snapshots: the rows that a table has

CREATE FUNCTION wal2kafka.snapshot_frames(
	relation regclass,
	"where" text,
	lsn pg_lsn,
	seq_id bigint,
	VARIADIC options text[] DEFAULT '{}')
RETURNS SETOF bytea
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'wal2kafka_snapshot_frames';

COMMENT ON FUNCTION
	wal2kafka.snapshot_frames(regclass, text, pg_lsn, bigint, text[]) IS
'the rows of a table as the frames that the shipper reads';

CREATE FUNCTION wal2kafka.snapshot_point(
	OUT xmin xid,
	OUT xmax xid,
	OUT running xid[],
	OUT unseen xid[],
	OUT lsn pg_lsn)
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'wal2kafka_snapshot_point';

-- "running" are the transactions below xmax that it does not see; "unseen" all
-- of those it does not see that are committed now
COMMENT ON FUNCTION wal2kafka.snapshot_point() IS
'which transactions the snapshot of the query sees, and where the log ends';

CREATE FUNCTION wal2kafka.snapshot(
	relation regclass,
	"where" text DEFAULT NULL,
	VARIADIC options text[] DEFAULT '{}',
	OUT topic text,
	OUT key text,
	OUT value text)
RETURNS SETOF record
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'wal2kafka_snapshot';

COMMENT ON FUNCTION wal2kafka.snapshot(regclass, text, text[]) IS
'records that a snapshot of a table holds, at no place in the stream';

CREATE FUNCTION wal2kafka.preview(
	relation regclass,
	max_rows int DEFAULT 10,
	OUT topic text,
	OUT key text,
	OUT value text)
RETURNS SETOF record
LANGUAGE C STABLE STRICT
AS 'MODULE_PATHNAME', 'wal2kafka_preview';

COMMENT ON FUNCTION wal2kafka.preview(regclass, int) IS
'records that the rows of a table would get if they were inserted now';
