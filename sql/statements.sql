--
-- What each kind of statement sends.  One line a record: rank of its
-- transaction, seq_id, op, table, values; what is printed after a statement is
-- all that it sent.
--
SET synchronous_commit = on;
SET client_min_messages = warning;
CREATE FUNCTION sent(VARIADIC options text[] DEFAULT '{}')
RETURNS TABLE (record text) LANGUAGE sql AS $$
	SELECT concat_ws(' ', r ->> 'lsn', r ->> 'seq_id', k, CASE r ->> 'schema' WHEN 'public' THEN '' ELSE (r ->> 'schema') || '.' END || (r ->> 'table_name'), v,
		CASE WHEN r ->> 'key_change' = 'true' THEN 'key_change' END)
	FROM (SELECT changes::json FROM changes(VARIADIC options)) c (r), json_each(r -> 'op') o (k, v)
$$;
CREATE TABLE t (id int PRIMARY KEY, v text);
CREATE TABLE u (id int PRIMARY KEY, t_id int REFERENCES t ON UPDATE CASCADE ON DELETE CASCADE);
CREATE TABLE n (id int PRIMARY KEY, t_id int DEFAULT 0 REFERENCES t ON UPDATE SET NULL ON DELETE SET NULL);
-- many rows; what touched nothing or was rolled back; nothing changed is still an update
INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, NULL);
UPDATE t SET v = v;
DELETE FROM t WHERE id > 100;
BEGIN;
INSERT INTO t VALUES (4, 'x');
ROLLBACK;
BEGIN;
COMMIT;
SELECT * FROM sent();
-- COPY
COPY t FROM stdin;
10	c
11	\N
12	tab\tnew line\nbackslash \\
\.
COPY t (id) FROM stdin WITH (FREEZE off);
13
\.
BEGIN;
CREATE TABLE frozen (id int PRIMARY KEY);
COPY frozen FROM stdin WITH (FREEZE on);
1
2
\.
COMMIT;
SELECT * FROM sent();
DROP TABLE frozen;
-- ON CONFLICT: what became of it
INSERT INTO t VALUES (13, 'new'), (14, 'new') ON CONFLICT DO NOTHING;
INSERT INTO t VALUES (13, 'd'), (15, 'd') ON CONFLICT (id) DO UPDATE SET v = EXCLUDED.v || coalesce(t.v, '-');
INSERT INTO t VALUES (13, 'e') ON CONFLICT (id) DO UPDATE SET v = 'never' WHERE false;
SELECT * FROM sent();
-- MERGE
MERGE INTO t USING (VALUES (14, 'm'), (15, NULL), (16, 'm')) AS s (id, v) ON t.id = s.id
	WHEN MATCHED AND s.v IS NULL THEN DELETE
	WHEN MATCHED THEN UPDATE SET v = s.v
	WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.v);
SELECT * FROM sent();
-- UPDATE and DELETE with FROM, WITH, RETURNING; triggers; a function
WITH gone AS (DELETE FROM t WHERE id = 16 RETURNING *), moved AS (INSERT INTO t SELECT id + 1, v FROM gone RETURNING *)
	UPDATE t SET v = 'cte' FROM moved WHERE t.id = moved.id - 3;
CREATE FUNCTION trig() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'DELETE' THEN RETURN NULL; END IF;
	NEW.v := NEW.v || '!';
	RETURN NEW;
END $$;
CREATE TRIGGER trig BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION trig();
UPDATE t SET v = 'trigger' WHERE id = 1;
DELETE FROM t WHERE id = 1;
DROP TRIGGER trig ON t;
SELECT * FROM sent();
-- keys that change, that swap, and what follows them
INSERT INTO u VALUES (1, 1), (2, 1);
INSERT INTO n VALUES (1, 2), (2, 2);
UPDATE t SET id = 20 WHERE id = 1;
UPDATE t SET id = id + 20 WHERE id IN (2, 10);
SELECT * FROM sent();
DELETE FROM t WHERE id = 20;
SELECT * FROM sent();
CREATE TABLE swap (id int PRIMARY KEY DEFERRABLE, v text);
ALTER TABLE swap REPLICA IDENTITY FULL;
INSERT INTO swap VALUES (1, 'a'), (2, 'b');
UPDATE swap SET id = 3 - id;
SELECT * FROM sent();
-- TRUNCATE: skipped, or one record a table, in the order of the server
INSERT INTO u VALUES (5, NULL);
TRUNCATE swap, u;
TRUNCATE t CASCADE;
SELECT * FROM sent();
INSERT INTO t VALUES (1, 'a');
BEGIN;
TRUNCATE t RESTART IDENTITY CASCADE;
INSERT INTO t VALUES (2, 'b');
COMMIT;
TRUNCATE ONLY swap;
SELECT * FROM sent('truncate', 'emit');
-- tables made and filled at once
CREATE TABLE ctas AS SELECT g AS id, 'x' AS v FROM generate_series(1, 2) g;
SELECT 1 AS one, NULL::text AS two INTO into_table;
CREATE TABLE ctas_empty AS SELECT * FROM t WITH NO DATA;
BEGIN;
CREATE TABLE made (id int PRIMARY KEY, v text DEFAULT 'd');
INSERT INTO made VALUES (1);
ALTER TABLE made ADD w int DEFAULT 5;
UPDATE made SET v = 'e';
TRUNCATE made;
INSERT INTO made VALUES (2);
COMMIT;
BEGIN;
CREATE TABLE unmade (id int);
INSERT INTO unmade VALUES (1);
DROP TABLE unmade;
INSERT INTO made VALUES (3);
COMMIT;
SELECT * FROM sent();
-- rewrites send nothing
INSERT INTO made SELECT g FROM generate_series(10, 14) g;
SELECT count(*) FROM sent();
ALTER TABLE made ALTER v TYPE varchar(20) USING v || '+', ALTER w TYPE bigint;
ALTER TABLE made ADD x timestamptz DEFAULT clock_timestamp();
ALTER TABLE made SET UNLOGGED;
ALTER TABLE made SET LOGGED;
VACUUM FULL made;
CLUSTER made USING made_pkey;
REINDEX TABLE made;
ANALYZE made;
SELECT * FROM sent();
-- nor do tables that are not logged, views, sequences, locks, comments
CREATE TEMP TABLE temp (id int PRIMARY KEY);
INSERT INTO temp VALUES (1);
UPDATE temp SET id = 2;
TRUNCATE temp;
CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY);
INSERT INTO unlogged VALUES (1);
UPDATE unlogged SET id = 2;
CREATE MATERIALIZED VIEW mat AS SELECT * FROM made;
CREATE UNIQUE INDEX ON mat (id);
REFRESH MATERIALIZED VIEW mat;
DELETE FROM made WHERE id = 14;
REFRESH MATERIALIZED VIEW CONCURRENTLY mat;
CREATE SEQUENCE seq;
SELECT nextval('seq'), setval('seq', 100);
BEGIN;
SELECT count(*) FROM (SELECT FROM made WHERE id = 10 FOR UPDATE) s;
SELECT count(*) FROM (SELECT FROM made FOR NO KEY UPDATE) s;
LOCK TABLE made;
COMMENT ON TABLE made IS 'c';
GRANT SELECT ON made TO PUBLIC;
COMMIT;
SELECT count(*) FROM pg_logical_emit_message(true, 'other', 'plugin');
SELECT * FROM sent();
DROP MATERIALIZED VIEW mat;
-- through a view
CREATE VIEW view AS SELECT id AS view_id, v FROM made WHERE id >= 10 WITH CHECK OPTION;
INSERT INTO view VALUES (20, 'v');
UPDATE view SET v = 'view' WHERE view_id = 11;
DELETE FROM view WHERE view_id < 13;
SELECT regexp_replace(record, '\d{4}-\d\d-\d\d [^"]*', 'T', 'g') AS record FROM sent();
DROP TABLE made CASCADE;
-- the same row again and again, on one page (HOT) and locked in between
CREATE TABLE hot (id int PRIMARY KEY, v int, w int) WITH (fillfactor = 50);
CREATE INDEX ON hot (w);
BEGIN;
INSERT INTO hot VALUES (1, 0, 0);
UPDATE hot SET v = 1;
SELECT count(*) FROM (SELECT FROM hot FOR SHARE) s;
UPDATE hot SET v = 2, w = 2;
DELETE FROM hot;
INSERT INTO hot VALUES (1, 3, 3);
COMMIT;
SELECT * FROM sent();
-- savepoints: what was rolled back is not there, the rest is in order
BEGIN;
INSERT INTO hot VALUES (10);
SAVEPOINT a;
INSERT INTO hot VALUES (11);
SAVEPOINT b;
INSERT INTO hot VALUES (12);
ROLLBACK TO b;
INSERT INTO hot VALUES (13);
RELEASE a;
SAVEPOINT c;
INSERT INTO hot VALUES (14);
ALTER TABLE hot RENAME TO warm;
INSERT INTO warm VALUES (15);
ALTER TABLE warm ADD x int DEFAULT 1, DROP COLUMN w;
INSERT INTO warm VALUES (16);
ROLLBACK TO c;
INSERT INTO hot VALUES (17);
SAVEPOINT d;
ALTER TABLE hot ALTER v TYPE text, ADD y int DEFAULT 2;
UPDATE hot SET v = 'seventeen' WHERE id = 17;
RELEASE d;
UPDATE hot SET y = 3 WHERE id = 10;
COMMIT;
SELECT * FROM sent();
-- subtransactions by the thousand, larger than logical_decoding_work_mem
CREATE TABLE many (id int PRIMARY KEY, v text);
BEGIN;
DO $$
BEGIN
	FOR i IN 1 .. 3000 LOOP
		BEGIN
			INSERT INTO many VALUES (i, repeat(i::text, 20));
			IF i % 3 = 0 THEN
				RAISE division_by_zero;
			END IF;
		EXCEPTION WHEN division_by_zero THEN
			UPDATE many SET v = 'after' WHERE id = i - 1;
		END;
	END LOOP;
END $$;
INSERT INTO many SELECT g, repeat('s', 100) FROM generate_series(10001, 15000) g;
COMMIT;
CREATE TEMP TABLE got AS SELECT data::json AS r FROM pg_logical_slot_get_changes('regress', NULL, NULL);
SELECT count(*), count(DISTINCT r ->> 'lsn') AS lsns, min((r ->> 'seq_id')::int), max((r ->> 'seq_id')::int),
	count(DISTINCT r ->> 'seq_id') AS ids, count(r #> '{op,Update}') AS updates FROM got;
SELECT count(*) AS in_order FROM (SELECT (r #>> '{op,Insert,0}')::int AS id, lag((r #>> '{op,Insert,0}')::int)
	OVER (ORDER BY (r ->> 'seq_id')::int) AS before FROM got WHERE r #> '{op,Insert}' IS NOT NULL) s WHERE id > before;
SELECT count(*) FROM many m JOIN got ON (r #>> '{op,Insert,0}')::int = id AND (r #>> '{op,Insert,1}' = v OR v = 'after');
DROP TABLE got, many;
-- partitions: a row that moves is a Delete there and an Insert here
CREATE TABLE part (id int, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE part1 PARTITION OF part FOR VALUES FROM (0) TO (10);
CREATE TABLE part2 (v text, dropped int, id int NOT NULL);
ALTER TABLE part2 DROP COLUMN dropped;
ALTER TABLE part ATTACH PARTITION part2 FOR VALUES FROM (10) TO (20);
CREATE PUBLICATION root FOR TABLE part WITH (publish_via_partition_root);
INSERT INTO part VALUES (1, 'a'), (11, 'b');
UPDATE part SET id = id + 12, v = 'moved' WHERE id = 1;
UPDATE part SET id = 2 WHERE id = 11;
INSERT INTO part VALUES (12, 'c'), (2, 'd') ON CONFLICT (id) DO UPDATE SET v = EXCLUDED.v;
DELETE FROM part WHERE id = 2;
TRUNCATE part;
CREATE TEMP TABLE as_root AS SELECT data FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'publication_names', 'root');
SELECT data::json ->> 'table_name' AS tab, data::json ->> 'seq_id' AS seq, (data::json -> 'op')::text AS op FROM as_root;
SELECT data::json ->> 'table_name' AS tab FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'publication_names', 'root', 'truncate', 'emit')
	WHERE data LIKE '%"Truncate"%';
SELECT * FROM sent('truncate', 'emit');
DROP PUBLICATION root;
DROP TABLE part;
-- inheritance: each table for itself
CREATE TABLE par (id int PRIMARY KEY, v text);
CREATE TABLE chi (w int, PRIMARY KEY (id)) INHERITS (par);
INSERT INTO par VALUES (1, 'p');
INSERT INTO chi VALUES (1, 'c', 2);
UPDATE par SET v = 'both';
DELETE FROM ONLY par;
TRUNCATE par;
SELECT * FROM sent('truncate', 'emit');
DROP TABLE par CASCADE;
-- what nobody is meant to see
UPDATE pg_description SET description = 'catalog' WHERE false;
SET allow_system_table_mods = on;
INSERT INTO pg_description VALUES (1, 1, 1, 'catalog');
DELETE FROM pg_description WHERE (objoid, classoid, objsubid) = (1, 1, 1);
RESET allow_system_table_mods;
SELECT lo_from_bytea(0, 'large object') > 0 AS lo;
SELECT * FROM sent();
-- large values, compressed in either way
CREATE TABLE packed (id int PRIMARY KEY, v text COMPRESSION pglz, w int);
INSERT INTO packed VALUES (1, repeat('pack', 10000), 0);
DO $$
BEGIN
	ALTER TABLE packed ALTER v SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN	-- a server built without it
END $$;
INSERT INTO packed VALUES (3, repeat('pack', 10000), 0);
ALTER TABLE packed ALTER v SET STORAGE EXTERNAL;
INSERT INTO packed VALUES (2, repeat('pack', 10000), 0);
SELECT (r #>> '{op,Insert,0}') AS id, r #>> '{op,Insert,1}' = repeat('pack', 10000) AS whole FROM (SELECT changes()::json) c (r);
UPDATE packed SET w = 1;
ALTER TABLE packed REPLICA IDENTITY FULL;
UPDATE packed SET w = 2;
SELECT r #>> '{op,Update,1,0}' AS id, r -> 'col_names' AS cols, r -> 'unchanged' AS unchanged,
	length(r #>> '{op,Update,0,1}') AS old, length(r #>> '{op,Update,1,1}') AS new FROM (SELECT changes()::json) c (r);
DROP TABLE packed;
-- edges: no columns, as many as there can be, names of 63 bytes
CREATE TABLE none ();
INSERT INTO none DEFAULT VALUES;
INSERT INTO none DEFAULT VALUES;
DELETE FROM none;
SELECT * FROM sent();
DO $$
BEGIN
	EXECUTE (SELECT format('CREATE TABLE wide (%s, PRIMARY KEY (c1600))', string_agg(format('c%s int', i), ', ' ORDER BY i))
		FROM generate_series(1, 1600) i);
END $$;
INSERT INTO wide (c1, c1600) VALUES (1, 1);
UPDATE wide SET c1 = 2, c800 = 3;
ALTER TABLE wide REPLICA IDENTITY FULL;
UPDATE wide SET c1600 = 4;
DELETE FROM wide;
SELECT json_array_length(r -> 'col_names') AS cols, r -> 'key' AS key, k AS op, json_array_length(CASE k WHEN 'Update' THEN v -> 1 ELSE v END) AS len,
	md5(v::text) FROM (SELECT changes()::json) c (r), json_each(r -> 'op') o (k, v);
DROP TABLE wide;
CREATE SCHEMA "Sch.ema
'\é";
SELECT format('CREATE TABLE "Sch.ema
''\é".%I (%I int PRIMARY KEY, %I text)', rpad('Tab.le "', 63, '\'), rpad('é "', 62, 'é'), rpad(E'\n\t"', 63, '.')) \gexec
SELECT format('INSERT INTO %s VALUES (1, ''v'')', attrelid::regclass), format('DELETE FROM %s', attrelid::regclass) FROM pg_attribute
	WHERE attnum = 1 AND attrelid = (SELECT max(oid) FROM pg_class WHERE relkind = 'r') \gexec
SELECT changes();
SELECT octet_length(relname) AS len FROM pg_class WHERE relnamespace = to_regnamespace('"Sch.ema
''\é"')::oid AND relkind = 'r';
DROP SCHEMA "Sch.ema
'\é" CASCADE;
-- a foreign table of this server: its rows are the other table's
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE far (id int) SERVER nowhere;
DROP FOREIGN DATA WRAPPER nothing CASCADE;
DROP TABLE t, u, n, swap, ctas, into_table, ctas_empty, temp, unlogged, hot, none;
DROP FUNCTION trig, sent;
DROP SEQUENCE seq;
SELECT count(*) FROM changes();
