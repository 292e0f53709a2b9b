--
-- Replication origins: all changes, or only those made here.
--
SET synchronous_commit = on;
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE EXTENSION wal2kafka;
CREATE TABLE origin_test (id int PRIMARY KEY);
SELECT 'made' FROM pg_create_logical_replication_slot('origin', 'wal2kafka');
SELECT pg_replication_origin_create('regress elsewhere') > 0 AS made;

-- here, from elsewhere, here; messages too
INSERT INTO origin_test VALUES (1);
SELECT wal2kafka.emit_message('out', 'k', 'here') IS NOT NULL AS lsn;
SELECT wal2kafka.emit_message('out', 'k', 'here at once', NULL, false) IS NOT NULL AS lsn;
SELECT pg_replication_origin_session_setup('regress elsewhere');
BEGIN;
INSERT INTO origin_test VALUES (2);
SELECT wal2kafka.emit_message('out', 'k', 'elsewhere') IS NOT NULL AS lsn;
SELECT pg_replication_origin_xact_setup('0/1', '2001-02-03 04:05:06+00');
COMMIT;
SELECT wal2kafka.emit_message('out', 'k', 'elsewhere at once', NULL, false) IS NOT NULL AS lsn;
TRUNCATE origin_test;
SELECT pg_replication_origin_session_reset();
INSERT INTO origin_test VALUES (3);

CREATE FUNCTION sent(VARIADIC options text[] DEFAULT '{}')
RETURNS TABLE (seq_id bigint, value text, origin text) LANGUAGE sql AS $$
	SELECT seq_id,
		CASE WHEN topic = 'out' THEN value ELSE value::json ->> 'op' END,
		CASE WHEN topic <> 'out' THEN value::json ->> 'origin' END
	FROM wal2kafka.peek_changes('origin', 100, VARIADIC
		'{message_topics,out,include_origin,on,truncate,emit}' || options)
		WITH ORDINALITY AS c (lsn, seq_id, topic, key, value, n)
	ORDER BY n
$$;
SELECT * FROM sent();
SELECT * FROM sent('origin', 'any');
SELECT * FROM sent('origin', 'none');
SELECT * FROM sent('origin', 'some');
-- text lines too
SELECT data::json ->> 'op' AS op, data::json ->> 'origin' AS origin
FROM pg_logical_slot_peek_changes('origin', NULL, NULL,
	'include_origin', 'on', 'origin', 'none');
-- part of the fingerprint, as message_topics is
CREATE FUNCTION fingerprint(VARIADIC options text[] DEFAULT '{}') RETURNS bytea LANGUAGE sql AS $$
	SELECT substr(data, 25, 8)
	FROM pg_logical_slot_peek_binary_changes('origin', NULL, 1,
		VARIADIC ARRAY['proto_version', '1'] || options) LIMIT 1
$$;
SELECT fingerprint() = fingerprint('origin', 'any') AS any,
	fingerprint() = fingerprint('origin', 'none') AS none,
	fingerprint() = fingerprint('message_topics', 'out') AS messages,
	fingerprint() = fingerprint('max_record', '1000') AS max_record;

SELECT pg_drop_replication_slot('origin');
SELECT pg_replication_origin_drop('regress elsewhere');
DROP TABLE origin_test;
DROP FUNCTION sent, fingerprint;
DROP EXTENSION wal2kafka;
