--
-- Messages: records for any topic, written without a table.
--
SET synchronous_commit = on;
SET client_min_messages = warning;
CREATE EXTENSION wal2kafka;
CREATE SCHEMA messages;
SET search_path = messages;
\set SHOW_CONTEXT never
CREATE TABLE orders (id int PRIMARY KEY, v text);
SELECT 'made' FROM pg_create_logical_replication_slot('messages', 'wal2kafka');

-- What the slot would send for these topics; LSNs as their rank.
CREATE FUNCTION sent(topics text DEFAULT 'out,out.*', VARIADIC more text[] DEFAULT '{}',
	OUT txn bigint, OUT seq_id bigint, OUT topic text, OUT key text, OUT value text)
RETURNS SETOF record LANGUAGE sql AS $$
	SELECT dense_rank() OVER (ORDER BY lsn), seq_id, topic, key,
		CASE WHEN topic LIKE 'messages.%' THEN value::json ->> 'op' ELSE value END
	FROM wal2kafka.peek_changes('messages', 1000,
		VARIADIC ARRAY['message_topics', topics] || more)
		WITH ORDINALITY AS c (lsn, seq_id, topic, key, value, n)
	ORDER BY n
$$;
CREATE FUNCTION consume() RETURNS void LANGUAGE sql AS $$
	SELECT pg_replication_slot_advance('messages', pg_current_wal_lsn())
$$;

-- refused, each by name
SELECT wal2kafka.emit_message(NULL, 'k', 'v');
SELECT wal2kafka.emit_message('', 'k', 'v');
SELECT wal2kafka.emit_message('.', 'k', 'v');
SELECT wal2kafka.emit_message('..', 'k', 'v');
SELECT wal2kafka.emit_message('a b', 'k', 'v');
SELECT wal2kafka.emit_message('ö', 'k', 'v');
SELECT wal2kafka.emit_message(repeat('t', 250), 'k', 'v') IS NULL;
SELECT wal2kafka.emit_message('out', 'k', 'v', NULL, NULL);
SELECT wal2kafka.emit_message('out', 'k', 'v', '"a"');
SELECT wal2kafka.emit_message('out', 'k', 'v', 'null');
SELECT wal2kafka.emit_message('out', 'k', 'v', '["a"]');
SELECT wal2kafka.emit_message('out', 'k', 'v', '{"a": 1}');
SELECT wal2kafka.emit_message('out', 'k', 'v', '{"a": true}');
SELECT wal2kafka.emit_message('out', 'k', 'v', '{"a": {"b": "c"}}');
SELECT wal2kafka.emit_message('out', 'k', 'v', '{"a": ["b"]}');
SELECT wal2kafka.emit_message('out', 'k', 'v', '{"wal2kafka_lsn": "7"}');
SELECT wal2kafka.emit_message('out', 'k', 'v',
	jsonb_build_object(repeat('n', 65536), 'v'));
BEGIN READ ONLY;
SELECT wal2kafka.emit_message('out', 'k', 'v');
ROLLBACK;
BEGIN READ ONLY;
SELECT wal2kafka.emit_message('out', 'k', 'v', transactional => false);
ROLLBACK;
SELECT * FROM sent();

-- alone, with rows around it, rolled back in part and altogether
SELECT wal2kafka.emit_message('out', 'k', 'alone') IS NOT NULL AS lsn;
BEGIN;
INSERT INTO orders VALUES (1, 'a');
SELECT wal2kafka.emit_message('out.orders', '1', '{"total": 9.50}') IS NOT NULL AS lsn;
SAVEPOINT s;
SELECT wal2kafka.emit_message('out.orders', '2', 'undone') IS NOT NULL AS lsn;
ROLLBACK TO s;
UPDATE orders SET v = 'b';
SELECT wal2kafka.emit_message('out', 'k', 'last') IS NOT NULL AS lsn;
COMMIT;
BEGIN;
SELECT wal2kafka.emit_message('out', 'k', 'never') IS NOT NULL AS lsn;
ROLLBACK;
SELECT * FROM sent();

-- only for topics that are listed
SELECT * FROM sent('out');
SELECT * FROM sent('out.orders, nothing');
SELECT * FROM sent('?ut');
SELECT * FROM sent('*');
SELECT * FROM sent('*.ord*s');
SELECT * FROM sent('*.ord?s,ou?,*x*');
SELECT * FROM sent('*', 'state_topic', 'out');
SELECT * FROM sent('');
SELECT * FROM sent('out,,x');
SELECT * FROM sent('out;x');
SELECT * FROM sent('out x');
SELECT consume();

-- nulls, nothing, any bytes, an illegible key
SELECT wal2kafka.emit_message('out', 'deleted', NULL) IS NOT NULL AS lsn;
SELECT wal2kafka.emit_message('out', 'deleted', NULL::bytea) IS NOT NULL AS lsn;
SELECT wal2kafka.emit_message('out', NULL, 'no key') IS NOT NULL AS lsn;
SELECT wal2kafka.emit_message('out', '', '') IS NOT NULL AS lsn;
SELECT wal2kafka.emit_message('out', 'bytes', '\x00ff0a'::bytea) IS NOT NULL AS lsn;
SELECT wal2kafka.emit_message('out', 'ö"\', E'ö\n"') IS NOT NULL AS lsn;
SELECT wal2kafka.emit_message(repeat('t', 249), 'long', 'x') IS NOT NULL AS lsn;
SELECT left(topic, 5) AS topic, key, value FROM sent('out,t*');
SELECT consume();

-- immediate: at once, although its transaction goes on, or is rolled back
BEGIN;
INSERT INTO orders VALUES (2, 'a');
SELECT wal2kafka.emit_message('out', 'k', 'part of it') IS NOT NULL AS lsn;
SELECT wal2kafka.emit_message('out', 'k', 'first', '{}', false) IS NOT NULL AS lsn;
SELECT wal2kafka.emit_message('out', 'k', 'second', NULL, false) IS NOT NULL AS lsn;
COMMIT;
BEGIN;
INSERT INTO orders VALUES (3, 'a');
SELECT wal2kafka.emit_message('out', 'k', 'third', NULL, false) IS NOT NULL AS lsn;
ROLLBACK;
-- in no transaction that writes anything else
SELECT wal2kafka.emit_message('out', 'k', 'fourth', NULL, false) IS NOT NULL AS lsn;
SELECT * FROM sent();
-- where a message ends, a commit may begin: no two records have one place
SELECT count(*), count(DISTINCT (lsn, seq_id)), bool_and(n = place) AS in_order
FROM (SELECT *, row_number() OVER (ORDER BY lsn, seq_id) AS place
	FROM wal2kafka.peek_changes('messages', 1000, 'message_topics', 'out')
		WITH ORDINALITY AS c (lsn, seq_id, topic, key, value, n)) r;
SELECT consume();

-- other prefixes are not ours, and ours holds what anybody likes
SELECT 'made' FROM pg_logical_emit_message(true, 'other', 'x');
SELECT 'made' FROM pg_logical_emit_message(false, '', 'x');
SELECT 'made' FROM pg_logical_emit_message(true, 'wal2kafka', '');
SELECT 'made' FROM pg_logical_emit_message(true, 'wal2kafka', 'hello, world');
SELECT 'made' FROM pg_logical_emit_message(false, 'wal2kafka', repeat(E'\x01', 100));
-- what the function writes, by hand: topic, key, headers, value
CREATE FUNCTION forge(content bytea, transactional bool DEFAULT true)
RETURNS text LANGUAGE sql AS $$
	SELECT 'made' FROM pg_logical_emit_message(transactional, 'wal2kafka', content)
$$;
SELECT forge('\x01000300 01000000 00000000'::bytea || 'outkv');
SELECT forge('\x01000300 01000000 08000000'::bytea || 'outk' || '\x0100 61 01000000 62' || '\xfffe');
SELECT forge('\x01000300 01000000 07000000'::bytea || 'outk' || '\x0100 61 ffffffff' || 'null header');
-- version, flags, a name, lengths, headers, a header that is ours
SELECT forge('\x02000300 01000000 00000000'::bytea || 'outkbad');
SELECT forge('\x01040300 01000000 00000000'::bytea || 'outkbad');
SELECT forge('\x01010300 01000000 00000000'::bytea || 'outkbad');
SELECT forge('\x01020300 01000000 00000000'::bytea || 'outkbad');
SELECT forge('\x01000300 01000000 00000000'::bytea || 'o tkbad');
SELECT forge('\x01000300 01000000 00000000'::bytea || 'o' || '\x00' || 'tkbad');
SELECT forge('\x01000000 01000000 00000000'::bytea || 'outkbad');
SELECT forge('\x0100ffff 01000000 00000000'::bytea || 'outkbad');
SELECT forge('\x01000300 ffffffff 00000000'::bytea || 'outkbad');
SELECT forge('\x01000300 01000000 ffffffff'::bytea || 'outkbad');
SELECT forge('\x01000300 01000000 05000000'::bytea || 'outkbad');
SELECT forge('\x01000300 01000000 08000000'::bytea || 'outk' || '\x0100 61 02000000 62');
SELECT forge(('\x01000300 01000000 14000000'::bytea || 'outk' || '\x0d00' || 'wal2kafka_lsn' || '\x01000000 37'), false);
SELECT * FROM sent('*');
SELECT consume();

-- every cut and any damage: a record or nothing
DO $$
DECLARE
	whole bytea := '\x01000300 01000000 08000000'::bytea || 'outk' || '\x0100 61 01000000 62' || 'v';
	damaged bytea;
BEGIN
	FOR len IN 0 .. length(whole) - 1 LOOP
		PERFORM pg_logical_emit_message(len % 2 = 0, 'wal2kafka', substr(whole, 1, len));
	END LOOP;
	PERFORM setseed(0.5);
	FOR i IN 1 .. 2000 LOOP
		damaged := whole;
		FOR j IN 0 .. floor(random() * 3)::int LOOP
			damaged := set_byte(damaged, floor(random() * length(damaged))::int,
				('{0,1,2,3,4,10,127,128,254,255}'::int[])[1 + floor(random() * 10)::int]);
		END LOOP;
		PERFORM pg_logical_emit_message(i % 2 = 0, 'wal2kafka', damaged);
	END LOOP;
END $$;
SELECT count(*) > 50 AS some, bool_and(length(topic) BETWEEN 1 AND 18) AS legal
FROM wal2kafka.peek_changes('messages', 10000, 'message_topics', '*');
SELECT consume();

-- limits, with 96 bytes for headers of ours; text lines leave messages out,
-- but keep the numbers
SELECT wal2kafka.emit_message('out', 'k', repeat('v', 1000), '{"h": "12345"}') IS NOT NULL AS lsn;
SELECT count(*) FROM sent('out', 'max_record', '1109');
\set VERBOSITY terse
SELECT count(*) FROM sent('out', 'max_record', '1108');
\set VERBOSITY default
SELECT count(*) FROM sent('other', 'max_record', '1001');
-- nothing can be left out of it: named, all of it is
\set VERBOSITY terse
SELECT count(*) FROM sent('out', 'max_record', '1108', 'on_error', 'stub');
\set VERBOSITY default
SELECT wal2kafka.emit_message('out', 'k', repeat('w', 1000), NULL, false) IS NOT NULL AS lsn;
BEGIN;
SELECT wal2kafka.emit_message('out', 'k', repeat('x', 1000)) IS NOT NULL AS lsn;
SELECT wal2kafka.emit_message('out', 'k', 'small') IS NOT NULL AS lsn;
COMMIT;
SELECT string_agg(DISTINCT lsn || '/0', ',') AS names
FROM wal2kafka.peek_changes('messages', 10, 'message_topics', 'out') \gset
SELECT * FROM sent('out', 'max_record', '900', 'stub', :'names');
SELECT consume();
BEGIN;
SELECT wal2kafka.emit_message('out', 'k', 'v') IS NOT NULL AS lsn;
INSERT INTO orders VALUES (4, 'a');
COMMIT;
SELECT seq_id, topic FROM sent('out');
SELECT data::json ->> 'seq_id' AS seq_id, data::json ->> 'table_name' AS table_name
FROM pg_logical_slot_peek_changes('messages', NULL, NULL, 'message_topics', 'out');
SELECT consume();

-- any role may, as with pg_logical_emit_message
CREATE ROLE regress_wal2kafka_user;
SET ROLE regress_wal2kafka_user;
SELECT wal2kafka.emit_message('out', 'k', 'by anybody') IS NOT NULL AS lsn;
RESET ROLE;
SELECT topic, key, value FROM sent();

SELECT pg_drop_replication_slot('messages');
DROP SCHEMA messages CASCADE;
DROP ROLE regress_wal2kafka_user;
DROP EXTENSION wal2kafka;
