-- The rows that a table has, as the records that the stream would make
CREATE EXTENSION wal2kafka;
CREATE SCHEMA snap;
SET search_path = snap;
SET synchronous_commit = on;
\set SHOW_CONTEXT never
SELECT 'made' FROM pg_create_logical_replication_slot('snap', 'wal2kafka');

-- A record without what tells its place.
CREATE FUNCTION bare(value text) RETURNS text LANGUAGE sql AS $$
	SELECT regexp_replace(regexp_replace(regexp_replace(value,
		'"lsn":\d+,"seq_id":\d+,', ''), ',"commit_ts":"[^"]*"(,"snapshot":true)?', ''), ',"xid":\d+', '')
$$;
-- Whether the rows of a table, inserted since the last call, come by snapshot
-- with the bytes that they have in the stream; and how many do.
CREATE FUNCTION agrees(relation regclass, VARIADIC options text[] DEFAULT '{}', OUT same bool, OUT count bigint)
LANGUAGE sql AS $$
	WITH stream AS (
		SELECT topic, key, bare(value) AS value
		FROM wal2kafka.peek_changes('snap', 100000, VARIADIC options)
	), rows AS (
		SELECT topic, key, bare(value) AS value
		FROM wal2kafka.snapshot(relation, NULL, VARIADIC options)
	)
	SELECT NOT EXISTS (SELECT * FROM stream EXCEPT ALL SELECT * FROM rows) AND
		NOT EXISTS (SELECT * FROM rows EXCEPT ALL SELECT * FROM stream),
		(SELECT count(*) FROM rows)
$$;
CREATE PROCEDURE forget() LANGUAGE sql AS $$
	SELECT pg_replication_slot_advance('snap', pg_current_wal_insert_lsn())
$$;

CREATE TABLE orders (gone int, id int PRIMARY KEY, total numeric(10,2),
	at timestamptz, span interval, raw bytea, tags text[], note text,
	doubled numeric GENERATED ALWAYS AS (total * 2) STORED);
ALTER TABLE orders DROP COLUMN gone;
ALTER TABLE orders ALTER note SET STORAGE EXTERNAL;
SELECT * FROM wal2kafka.snapshot('orders');
INSERT INTO orders VALUES
	(1, 10.5, '2026-01-02 03:04:05+06', '1 day 2 hours', '\x00ff',
		'{a,"b c"}', E'quote " backslash \\ newline \n ö'),
	(2, NULL, NULL, NULL, NULL, NULL, NULL);
SELECT topic, key, regexp_replace(value, '"commit_ts":"[^"]*"', '"commit_ts":"T"') AS value
FROM wal2kafka.snapshot('orders');
SELECT value FROM wal2kafka.snapshot('orders', 'id = 2', 'fields', 'none');
SELECT value::jsonb ->> 'commit_ts' = to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS is_now
FROM wal2kafka.snapshot('orders', 'id = 2', 'include_xid', 'on');

-- the bytes of the stream
INSERT INTO orders (id, note) VALUES (3, repeat('long', 10000));
SELECT * FROM agrees('orders');
SELECT * FROM agrees('orders', 'topic_prefix', 'shop.', 'generated', 'stored');
SELECT * FROM agrees('orders', 'fields', 'none', 'partitioner', 'crc32');
SET datestyle = 'German';
SET timezone = 'Asia/Tokyo';
SET intervalstyle = 'iso_8601';
SET bytea_output = 'escape';
SET extra_float_digits = -3;
SELECT * FROM agrees('orders');
SHOW datestyle;
RESET ALL;
SET search_path = snap;
SELECT * FROM agrees('orders', 'routes', 'snap.orders topic=bills key=id');
TRUNCATE orders;
ALTER TABLE orders REPLICA IDENTITY FULL;
SELECT wal2kafka.set_route('orders', topic => 'bills', key => '{total,id}');
CALL forget();
INSERT INTO orders (id, total, note) SELECT i, i % 7, repeat('x', i) FROM generate_series(1, 3000) i
WHERE i % 1000 < 500;
SELECT * FROM agrees('orders');
SELECT DISTINCT topic FROM wal2kafka.snapshot('orders');
-- too large: as a stub, or not at all
SELECT * FROM agrees('orders', 'max_record', '2000', 'on_error', 'stub');
SELECT count(*) FROM wal2kafka.snapshot('orders', NULL, 'max_record', '2000', 'on_error', 'stub')
WHERE value::jsonb ? 'omitted';
SELECT count(*) FROM wal2kafka.snapshot('orders', NULL, 'max_record', '3000');
-- a table without a key finds rows by all that was sent of them: whether that
-- is all of the row must not depend on who sent it
CREATE TABLE keyless (a text, b text);
ALTER TABLE keyless REPLICA IDENTITY FULL;
TRUNCATE orders;
CALL forget();
INSERT INTO keyless SELECT repeat('a', i), 'b' FROM generate_series(1, 300) i;
SELECT * FROM agrees('keyless', 'max_record', '400', 'on_error', 'stub');
SELECT * FROM agrees('keyless', 'max_record', '400', 'on_error', 'stub', 'include_xid', 'on');

-- publications: column lists, row filters on large values too, generated columns
CREATE TABLE items (id int PRIMARY KEY, price int, secret text, note text);
ALTER TABLE items ALTER note SET STORAGE EXTERNAL;
CREATE PUBLICATION listed FOR TABLE items (id, note);
CREATE PUBLICATION filtered FOR TABLE items WHERE (price > 10 AND length(note) > 5);
CREATE PUBLICATION deletes FOR TABLE items WITH (publish = 'update, delete');
CALL forget();
INSERT INTO items SELECT i, i, 's', repeat('n', i * 1000) FROM generate_series(1, 20) i;
SELECT * FROM agrees('items', 'publication_names', 'listed');
SELECT * FROM agrees('items', 'publication_names', 'filtered');
SELECT * FROM agrees('items', 'publication_names', 'filtered,deletes');
SELECT value::json -> 'col_names' AS col_names FROM wal2kafka.snapshot('items', 'id = 1', 'publication_names', 'listed');
SELECT wal2kafka.snapshot('items', NULL, 'publication_names', 'deletes');
SELECT wal2kafka.snapshot('orders', NULL, 'publication_names', 'listed, "filtered"');
SELECT wal2kafka.snapshot('items', NULL, 'publication_names', 'nowhere');

-- partitions: columns in another order, routes of their own, or the root's
CREATE TABLE events (region text NOT NULL, id int, note text,
	PRIMARY KEY (region, id)) PARTITION BY LIST (region);
CREATE TABLE events_eu (note text, gone int, id int NOT NULL, region text NOT NULL);
ALTER TABLE events_eu DROP COLUMN gone;
ALTER TABLE events ATTACH PARTITION events_eu FOR VALUES IN ('eu');
CREATE TABLE events_us PARTITION OF events FOR VALUES IN ('us') PARTITION BY RANGE (id);
CREATE TABLE events_us_1 PARTITION OF events_us DEFAULT;
CREATE PUBLICATION leaves FOR TABLE events;
CREATE PUBLICATION root FOR TABLE events WHERE (id > 1) WITH (publish_via_partition_root);
CREATE PUBLICATION leaf FOR TABLE events_eu;
CALL forget();
INSERT INTO events VALUES ('eu', 1, 'x'), ('us', 2, 'y'), ('eu', 3, NULL);
SELECT * FROM agrees('events');
SELECT * FROM agrees('events', 'publication_names', 'leaves');
SELECT * FROM agrees('events', 'publication_names', 'root');
SELECT * FROM agrees('events_eu', 'publication_names', 'leaf');
SELECT topic, key FROM wal2kafka.snapshot('events', 'region = ''us''', 'publication_names', 'root');
SELECT topic, key FROM wal2kafka.snapshot('events_us', NULL, 'publication_names', 'leaves');
SELECT topic, key FROM wal2kafka.snapshot('events_eu', NULL, 'publication_names', 'root');
SELECT wal2kafka.snapshot('events', NULL, 'publication_names', 'leaf');
-- inheritance is none: children are tables of their own
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child () INHERITS (parent);
INSERT INTO parent VALUES (1);
INSERT INTO child VALUES (2);
SELECT topic, key FROM wal2kafka.snapshot('parent');
SELECT topic, key FROM wal2kafka.snapshot('child');
-- a column that came later, and no columns
ALTER TABLE parent ADD COLUMN late text DEFAULT 'later';
SELECT value::json -> 'op' AS op FROM wal2kafka.snapshot('parent');
-- on servers that have them, columns that are not stored
CREATE TABLE made (id int PRIMARY KEY, v int);
DO $$
BEGIN
	IF current_setting('server_version_num')::int >= 180000 THEN
		EXECUTE 'ALTER TABLE made ADD COLUMN doubled int GENERATED ALWAYS AS (v * 2) VIRTUAL';
	END IF;
END $$;
ALTER TABLE made ADD COLUMN w text;
INSERT INTO made VALUES (1, 2), (3, 4);
UPDATE made SET w = 'w';
SELECT key, value::json -> 'op' AS op FROM wal2kafka.snapshot('made');
CREATE TABLE nothing ();
INSERT INTO nothing DEFAULT VALUES;
SELECT topic, key, value::json -> 'op' AS op FROM wal2kafka.snapshot('nothing');
-- names that need quotes
CREATE TABLE "Größe ""x""" ("Ä ""b""" int PRIMARY KEY);
INSERT INTO "Größe ""x""" VALUES (1), (2);
SELECT topic, key FROM wal2kafka.snapshot('"Größe ""x"""', '"Ä ""b""" > 1');

-- conditions
INSERT INTO orders (id, note) SELECT i, 'n' FROM generate_series(1, 2500) i;
SELECT count(*) FROM wal2kafka.snapshot('orders', 'id > 2000');
SELECT count(*) FROM wal2kafka.snapshot('orders', 'id > 2000 -- and no more');
SELECT count(*) FROM wal2kafka.snapshot('orders', 'id IN (SELECT id FROM snap.parent)');
\set SHOW_CONTEXT errors
SELECT count(*) FROM wal2kafka.snapshot('orders', 'id > ');
SELECT count(*) FROM wal2kafka.snapshot('orders', 'nobody > 2');
SELECT count(*) FROM wal2kafka.snapshot('orders', 'id');
SELECT count(*) FROM wal2kafka.snapshot('orders', '1 / (id - 2000) = 5');
SELECT count(*) FROM wal2kafka.snapshot('orders', 'true); DROP TABLE orders; SELECT (true');
\set SHOW_CONTEXT never
-- a text that bends the query cannot bend what its rows are taken for
SELECT count(*) FROM wal2kafka.snapshot('parent', 'false) UNION ALL (SELECT 1.5, ''x''');
SELECT count(*) FROM wal2kafka.snapshot('events', 'false) UNION ALL (SELECT 1, ''r'', 1, ''x''');

-- options
SELECT wal2kafka.snapshot('orders', NULL, 'fields');
SELECT wal2kafka.snapshot('orders', NULL, 'fields', NULL);
SELECT wal2kafka.snapshot('orders', NULL, NULL, 'none');
SELECT wal2kafka.snapshot('orders', NULL, 'fields', 'few');
SELECT wal2kafka.snapshot('orders', NULL, 'colour', 'red');
SELECT wal2kafka.snapshot(NULL);

-- frames: each can be read alone, ordinals run on, the first has a fingerprint
CREATE TABLE frames AS
	SELECT row_number() OVER () AS n, f AS frame
	FROM wal2kafka.snapshot_frames('orders', 'id <= 1500', '1/23456789', 40, 'fields', 'all') f;
SELECT count(*) > 1 AS several, max(length(frame)) < 70000 AS bounded,
	bool_and((get_byte(frame, 5) = 1) = (n = 1)) AS first_alone,
	bool_and((substr(frame, 25, 8) <> '\x0000000000000000') = (n = 1)) AS fingerprint,
	bool_and(substr(frame, 17, 8) = '\x0000000000000000') AS no_safe
FROM frames;
SELECT DISTINCT lsn, count(*), min(seq_id), max(seq_id) FROM frames, wal2kafka.unframe(frame) GROUP BY lsn;
SELECT bool_and(value::json ->> 'lsn' = '4886718345' AND (value::json ->> 'seq_id')::bigint = seq_id AND
	value::json ->> 'snapshot' = 'true') AS placed
FROM frames, wal2kafka.unframe(frame);
SELECT count(*) FROM wal2kafka.snapshot_frames('orders', 'false', '0/1', 0);
SELECT wal2kafka.snapshot_frames('orders', NULL, '0/1', -1);
SELECT wal2kafka.snapshot_frames('orders', NULL, NULL, 0);
DROP TABLE frames;
-- a reader that comes to the end, stops early, or at a savepoint, leaves nothing
BEGIN;
SELECT count(*) > 1 AS several FROM wal2kafka.snapshot_frames('orders', NULL, '0/1', 0);
SELECT count(*) > 1 AS several FROM (SELECT wal2kafka.snapshot_frames('orders', NULL, '0/1', 0)) s;
SELECT count(*) FROM wal2kafka.snapshot('orders');
SELECT length(wal2kafka.snapshot_frames('orders', NULL, '0/1', 0)) > 0 AS frame LIMIT 1;
SELECT count(*) FROM pg_cursors;
COMMIT;
BEGIN;
DECLARE c CURSOR FOR SELECT length(wal2kafka.snapshot_frames('orders', NULL, '0/1', 0)) > 0 AS frame;
FETCH c;
SELECT count(*) FROM pg_cursors;
CLOSE c;
SELECT count(*) FROM pg_cursors;
DECLARE c CURSOR FOR SELECT length(wal2kafka.snapshot_frames('orders', NULL, '0/1', 0)) > 0 AS frame;
SAVEPOINT s;
FETCH c;
ROLLBACK TO s;
SELECT count(*) FROM pg_cursors;
ROLLBACK;
BEGIN;
DECLARE c CURSOR FOR SELECT length(wal2kafka.snapshot_frames('orders', NULL, '0/1', 0)) > 0 AS frame;
FETCH c;
ALTER TABLE orders DROP COLUMN note;
ROLLBACK;
-- a label is renamed meanwhile: key and value of a row have the same one
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE TABLE moods (m mood, id int, PRIMARY KEY (m, id));
INSERT INTO moods SELECT 'sad', g FROM generate_series(1, 2000) g;
BEGIN;
DECLARE c CURSOR FOR SELECT position('"sad"'::bytea IN f) > 0 AS sad, position('"low"'::bytea IN f) > 0 AS low
	FROM (SELECT wal2kafka.snapshot_frames('moods', NULL, '0/1', 0) AS f OFFSET 0) s;
FETCH c;
ALTER TYPE mood RENAME VALUE 'sad' TO 'low';
FETCH c;
ROLLBACK;
DROP TABLE moods;
DROP TYPE mood;
-- whoever takes its cursor away
BEGIN;
DECLARE c CURSOR FOR SELECT length(wal2kafka.snapshot_frames('orders', NULL, '0/1', 0)) > 0 AS frame;
FETCH c;
DO $$
DECLARE
	inner_cursor refcursor := (SELECT name FROM pg_cursors WHERE name LIKE '<unnamed portal %');
BEGIN
	CLOSE inner_cursor;
	OPEN inner_cursor FOR SELECT 1;
END $$;
FETCH ALL c;
ROLLBACK;

-- the caller's rights, and nothing else
CREATE ROLE regress_wal2kafka_user;
GRANT USAGE ON SCHEMA snap TO regress_wal2kafka_user;
SET ROLE regress_wal2kafka_user;
SELECT count(*) FROM wal2kafka.snapshot('orders');
RESET ROLE;
GRANT SELECT ON orders TO regress_wal2kafka_user;
SET ROLE regress_wal2kafka_user;
SELECT count(*) FROM wal2kafka.snapshot('orders');
SELECT count(*) > 0 FROM wal2kafka.snapshot_frames('orders', 'id < 5', '0/1', 0);
SELECT count(*) FROM wal2kafka.snapshot('orders', 'id IN (SELECT id FROM snap.parent)');
RESET ROLE;
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY odd ON orders USING (id % 2 = 1);
SET ROLE regress_wal2kafka_user;
SELECT count(*) FROM wal2kafka.snapshot('orders');
SELECT count(*) > 1 FROM wal2kafka.snapshot_frames('orders', NULL, '0/1', 0);
SET row_security = off;
SELECT count(*) FROM wal2kafka.snapshot('orders');
RESET row_security;
RESET ROLE;
SELECT count(*) FROM wal2kafka.snapshot('orders');

-- what is never captured
CREATE VIEW a_view AS SELECT 1 AS id;
CREATE MATERIALIZED VIEW kept AS SELECT 1 AS id;
CREATE UNLOGGED TABLE fleeting AS SELECT 1 AS id;
CREATE TEMP TABLE passing AS SELECT 1 AS id;
CREATE SEQUENCE numbers;
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE far (id int) SERVER nowhere;
CREATE TABLE spread (id int) PARTITION BY LIST (id);
CREATE FOREIGN TABLE spread_far PARTITION OF spread FOR VALUES IN (1) SERVER nowhere;
SELECT wal2kafka.snapshot('a_view');
SELECT wal2kafka.snapshot('kept');
SELECT wal2kafka.snapshot('fleeting');
SELECT wal2kafka.snapshot('passing');
SELECT wal2kafka.snapshot('numbers');
SELECT wal2kafka.snapshot('far');
SELECT wal2kafka.snapshot('spread');
SELECT wal2kafka.snapshot('orders_pkey');
SELECT wal2kafka.snapshot('pg_class');
SELECT wal2kafka.snapshot('0');

-- the snapshot of a query
SELECT running, unseen, lsn <= pg_current_wal_insert_lsn() AS behind_the_end FROM wal2kafka.snapshot_point();
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT p.xmin::text = pg_snapshot_xmin(s)::text AND p.xmax::text = pg_snapshot_xmax(s)::text AS same
FROM wal2kafka.snapshot_point() p, pg_current_snapshot() s;
COMMIT;

-- what it sees is on disk; the end may lie behind a page's header
SET synchronous_commit = off;
SELECT pg_logical_emit_message(true, 'of nobody', repeat('x', 100000)) IS NULL AS failed;
SELECT lsn - pg_current_wal_flush_lsn() <= 40 AS on_disk FROM wal2kafka.snapshot_point();
RESET synchronous_commit;
SELECT pg_drop_replication_slot('snap');
SET client_min_messages = warning;
DROP SCHEMA snap CASCADE;
DROP FOREIGN DATA WRAPPER nowhere CASCADE;
DROP PUBLICATION listed, filtered, deletes, leaves, root, leaf;
DROP ROLE regress_wal2kafka_user;
DROP EXTENSION wal2kafka;
