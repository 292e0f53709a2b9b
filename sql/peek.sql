-- What a slot would send next; frames as a stranger might hand them in
CREATE EXTENSION wal2kafka;
CREATE SCHEMA peek;
SET search_path = peek;
\set SHOW_CONTEXT never

-- one of each entry, two transactions, two tables in one topic
CREATE TABLE frames (frame bytea);
INSERT INTO frames VALUES (decode(replace('
57324b3101010000040000004a0100000010000000000000070000000000000001000000
0f0000000100000073686f702e6f72646572730200000016000000010000000100000004
00060073686f706f7264657273020000001500000002000000010000000400050073686f
706974656d73030000002800000000200000010000001020000001000000000000000000
0000bc020000000000000500000000000000040000001400000001000000010000000100
0000317b2261223a317d04100000130000000200000002000000000000007b2262223a32
7d0500000010000000010000000100000000100000000000000401000015000000010000
0003000000090000005b2278222c2279225d030000002800000000300000010000001030
0000010000000000000000000000bd020000000000000000000000000000040c00002400
0000010000000100000002000000090000000500000000000000c3a90100680200000076
767a
', E'\n', ''), 'hex'));
SELECT lsn - '0/0' AS lsn, seq_id, topic, key, value
FROM frames, wal2kafka.unframe(frame) r;

-- no frames
SELECT * FROM wal2kafka.unframe('');
SELECT * FROM wal2kafka.unframe('hello, this is a text of 32 bytes');
SELECT r.* FROM frames, wal2kafka.unframe(substr(frame, 1, 32)) r;
SELECT r.* FROM frames, wal2kafka.unframe(substr(frame, 1, 100)) r;
SELECT r.* FROM frames, wal2kafka.unframe(frame || 'x') r;
SELECT r.* FROM frames, wal2kafka.unframe(set_byte(frame, 0, 0)) r;
SELECT r.* FROM frames, wal2kafka.unframe(set_byte(frame, 4, 9)) r;
SELECT r.* FROM frames, wal2kafka.unframe(set_byte(frame, 8, 3)) r;
SELECT r.* FROM frames, wal2kafka.unframe(set_byte(frame, 40, 9)) r;
SELECT r.* FROM frames, wal2kafka.unframe(set_byte(frame, 63, 9)) r;
-- an ordinal beyond a bigint; bytes that are no text are shown as a bytea is
SELECT r.* FROM frames, wal2kafka.unframe(set_byte(frame,
	position('\x0500000000000000'::bytea IN frame) + 6, 128)) r;
SELECT seq_id, topic, key, value FROM frames, wal2kafka.unframe(set_byte(frame,
	position('\x7b2261'::bytea IN frame) - 1, 255)) r;
SELECT seq_id, topic, key, value FROM frames, wal2kafka.unframe(set_byte(frame,
	position('\x7b2261'::bytea IN frame) - 1, 0)) r;

-- every cut is refused
DO $$
DECLARE
	whole bytea := (SELECT frame FROM frames);
	refused int := 0;
BEGIN
	FOR len IN 0 .. length(whole) - 1 LOOP
		BEGIN
			PERFORM * FROM wal2kafka.unframe(substr(whole, 1, len));
		EXCEPTION WHEN invalid_binary_representation THEN
			refused := refused + 1;
		END;
	END LOOP;
	RAISE NOTICE 'all refused: %', refused = length(whole);
END $$;

-- any damage gives rows or one of these errors, and each finds takers
SELECT setseed(0.5) IS NOT NULL AS seeded;
DO $$
DECLARE
	damaged bytea;
	interesting int[] := '{0,1,2,3,4,5,127,128,254,255}';
	read int := 0;
	refused int := 0;
	no_text int := 0;
BEGIN
	FOR i IN 1 .. 20000 LOOP
		SELECT frame INTO damaged FROM frames;
		FOR j IN 0 .. floor(random() * 3)::int LOOP
			damaged := set_byte(damaged,
				floor(random() * length(damaged))::int,
				CASE WHEN random() < 0.5 THEN floor(random() * 256)::int
					ELSE interesting[1 + floor(random() * 10)::int] END);
		END LOOP;
		BEGIN
			PERFORM * FROM wal2kafka.unframe(damaged);
			read := read + 1;
		EXCEPTION
			WHEN invalid_binary_representation THEN
				refused := refused + 1;
			WHEN character_not_in_repertoire THEN
				no_text := no_text + 1;
		END;
	END LOOP;
	RAISE NOTICE 'read %, refused %, not text %',
		read > 1000, refused > 1000, no_text > 100;
END $$;

-- not for everybody
CREATE ROLE regress_wal2kafka_user;
GRANT USAGE ON SCHEMA peek TO regress_wal2kafka_user;
GRANT SELECT ON frames TO regress_wal2kafka_user;
SET ROLE regress_wal2kafka_user;
SELECT r.* FROM frames, wal2kafka.unframe(frame) r;
DO $$
BEGIN
	PERFORM * FROM wal2kafka.peek_changes('peek');
EXCEPTION WHEN insufficient_privilege THEN
	RAISE NOTICE 'refused';
END $$;
RESET ROLE;

-- the slot's own
CREATE TABLE orders (id int PRIMARY KEY, total numeric, note text);
CREATE TABLE items (order_id int, n int, PRIMARY KEY (order_id, n));
SELECT 'made' FROM pg_create_logical_replication_slot('peek', 'wal2kafka');
SELECT * FROM wal2kafka.peek_changes('peek');
INSERT INTO orders VALUES (1, 10.50, 'ö'), (2, NULL, 'two');
BEGIN;
INSERT INTO items VALUES (1, 1), (1, 2);
UPDATE orders SET total = 11 WHERE id = 1;
UPDATE items SET n = 3 WHERE n = 2;
COMMIT;
BEGIN;
DELETE FROM orders WHERE id = 2;
ROLLBACK;
DELETE FROM orders WHERE id = 1;
SELECT topic, key, value::jsonb -> 'op' AS op
FROM wal2kafka.peek_changes('peek', 3);
SELECT dense_rank() OVER (ORDER BY lsn) AS txn, seq_id, topic, key,
	value::jsonb - 'lsn' - 'commit_ts' AS value,
	(value::jsonb ->> 'lsn')::numeric = lsn - '0/0' AS same_lsn
FROM wal2kafka.peek_changes('peek', 100) ORDER BY lsn, seq_id;
-- twice the same, and nothing is consumed
SELECT count(*), count(DISTINCT value), count(DISTINCT (lsn, seq_id))
FROM (SELECT * FROM wal2kafka.peek_changes('peek') a
	UNION ALL SELECT * FROM wal2kafka.peek_changes('peek') b) both_times;

-- options as the shipper gives them
SELECT topic, key, value::json -> 'op' AS op
FROM wal2kafka.peek_changes('peek', 3,
	'topic_prefix', 'shop', 'fields', 'none',
	'routes', 'peek.orders topic=bills');
SELECT * FROM wal2kafka.peek_changes('peek', 1, 'nonsense', 'on');
SELECT * FROM wal2kafka.peek_changes('peek', 1, 'proto_version', '1');
SELECT * FROM wal2kafka.peek_changes('peek', 1, 'fields');
SELECT * FROM wal2kafka.peek_changes('peek', 0);
SELECT * FROM wal2kafka.peek_changes('peek', -1);
SELECT * FROM wal2kafka.peek_changes('nowhere');
SELECT 'made' FROM pg_create_logical_replication_slot('peek_other', 'pgoutput');
SELECT * FROM wal2kafka.peek_changes('peek_other');
SELECT pg_drop_replication_slot('peek_other');
SELECT 'made' FROM pg_create_physical_replication_slot('peek_other');
SELECT * FROM wal2kafka.peek_changes('peek_other');
SELECT pg_drop_replication_slot('peek_other');
-- an error that is caught leaves the slot free, one after it leaves it there
CREATE FUNCTION try() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM * FROM wal2kafka.peek_changes('peek', 1, 'nonsense', 'on');
EXCEPTION WHEN OTHERS THEN
	RETURN sqlerrm;
END $$;
SELECT try(), try();
SELECT active FROM pg_replication_slots WHERE slot_name = 'peek';
SELECT 1 / 0;
SELECT slot_name, active FROM pg_replication_slots WHERE slot_name ~ 'peek';

-- transactions without a record in between do not use up the limit
SELECT pg_replication_slot_advance('peek', pg_current_wal_lsn()) IS NOT NULL;
TRUNCATE items;
TRUNCATE items;
TRUNCATE items;
INSERT INTO items VALUES (9, 9);
SELECT key FROM wal2kafka.peek_changes('peek', 1);

-- the limit cuts within a transaction
INSERT INTO items SELECT 10, n FROM generate_series(1, 3000) n;
SELECT count(*), max(key) FROM wal2kafka.peek_changes('peek', 5);
SELECT count(*), count(DISTINCT key) FROM wal2kafka.peek_changes('peek', 10000);

SELECT pg_drop_replication_slot('peek');
SET client_min_messages = warning;
DROP SCHEMA peek CASCADE;
DROP ROLE regress_wal2kafka_user;
DROP EXTENSION wal2kafka;
