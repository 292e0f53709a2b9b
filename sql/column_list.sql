--
-- Column lists: which columns a record holds, and what identifies its row then.
--
SET synchronous_commit = on;
CREATE EXTENSION wal2kafka;
CREATE FUNCTION recs(publications text) RETURNS TABLE (txn bigint, t text, cols text, key text, identity text, op text, unchanged text)
LANGUAGE sql AS $$
	SELECT dense_rank() OVER (ORDER BY (data::json ->> 'lsn')::numeric),
		data::json ->> 'table_name', data::json ->> 'col_names', data::json ->> 'key',
		data::json ->> 'identity', data::json ->> 'op', data::json ->> 'unchanged'
	FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'publication_names', publications)
		WITH ORDINALITY AS c (lsn, xid, data, n)
	ORDER BY n
$$;
-- in the table's order; what is added later is not published, names are followed
CREATE TABLE l_some (a int, junk int, id int, b text, c text, PRIMARY KEY (id));
ALTER TABLE l_some ALTER c SET STORAGE EXTERNAL;
CREATE PUBLICATION l_two FOR TABLE l_some (b, id);
INSERT INTO l_some VALUES (1, 1, 1, 'one', repeat('c', 5000));
ALTER TABLE l_some DROP COLUMN junk;
UPDATE l_some SET a = 2;
ALTER TABLE l_some ADD COLUMN d int DEFAULT 4;
UPDATE l_some SET id = 2;
ALTER TABLE l_some RENAME b TO bb;
INSERT INTO l_some VALUES (3, 3, 'three', 'c', 5);
DELETE FROM l_some;
SELECT * FROM recs('l_two');
SELECT count(*) FROM changes();
-- a list of all columns agrees with none, another does not
CREATE TABLE l_all (junk int, id int PRIMARY KEY, v int, w int);
ALTER TABLE l_all DROP COLUMN junk;
CREATE PUBLICATION l_none FOR TABLE l_all;
CREATE PUBLICATION l_list FOR TABLE l_all (w, v, id) WITH (publish = 'insert');
CREATE PUBLICATION l_less FOR TABLE l_all (id, w);
CREATE PUBLICATION l_same FOR TABLE l_all (w, id);
CREATE PUBLICATION l_every FOR ALL TABLES;
CREATE PUBLICATION l_truncate FOR TABLE l_all WITH (publish = 'truncate');
INSERT INTO l_all VALUES (1, 2, 3);
SELECT t, cols, op FROM recs('l_list,l_none');
SELECT t, cols, op FROM recs('l_list,l_every');
SELECT t, cols, op FROM recs('l_less,l_same');
\set SHOW_CONTEXT never
SELECT * FROM recs('l_less,l_none');
\set SHOW_CONTEXT errors
\set VERBOSITY terse
SELECT * FROM recs('l_every,l_same');
SELECT * FROM recs('l_truncate,l_same');
\set VERBOSITY default
SELECT * FROM recs('l_truncate');
SELECT count(*) FROM changes();
-- without the key: no key, a null Kafka key; a filter may look at what is not listed
CREATE TABLE l_keyless (id int PRIMARY KEY, v text, w int);
CREATE PUBLICATION l_v FOR TABLE l_keyless (v) WHERE (w > 1) WITH (publish = 'insert');
CREATE PUBLICATION l_vw FOR TABLE l_keyless (v, w) WITH (publish = 'insert');
INSERT INTO l_keyless VALUES (1, 'no', 1), (2, 'yes', 2);
UPDATE l_keyless SET id = 3 WHERE id = 1;
SELECT * FROM recs('l_v');
SELECT topic, key, value::json -> 'op' AS op FROM wal2kafka.peek_changes('regress', 100, 'publication_names', 'l_v');
-- a route's key may be any published column then, and no other
SECURITY LABEL FOR wal2kafka ON COLUMN l_keyless.w IS 'key=1';
INSERT INTO l_keyless VALUES (4, 'four', 4);
SELECT topic, key, value::json -> 'op' AS op FROM wal2kafka.peek_changes('regress', 100, 'publication_names', 'l_vw');
\set VERBOSITY terse
SELECT count(*) FROM recs('l_v');
\set VERBOSITY default
SELECT count(*) FROM changes('publication_names', 'l_vw');
-- a root's list with a leaf's operations: what is left of a row or of its key
-- must not match others
CREATE TABLE l_root (id int, v text, k int) PARTITION BY LIST (k);
CREATE TABLE l_leaf_1 (k int, id int PRIMARY KEY, v text);
CREATE TABLE l_leaf_2 (v text, junk int, k int, id int);
ALTER TABLE l_leaf_2 DROP COLUMN junk, REPLICA IDENTITY FULL;
CREATE TABLE l_leaf_3 (v text PRIMARY KEY, k int, id int);
ALTER TABLE l_leaf_3 REPLICA IDENTITY FULL;
ALTER TABLE l_root ATTACH PARTITION l_leaf_1 FOR VALUES IN (1);
ALTER TABLE l_root ATTACH PARTITION l_leaf_2 FOR VALUES IN (2);
ALTER TABLE l_root ATTACH PARTITION l_leaf_3 FOR VALUES IN (3);
CREATE PUBLICATION l_top FOR TABLE l_root (k, v) WITH (publish = 'insert', publish_via_partition_root);
CREATE PUBLICATION l_low FOR TABLE l_leaf_1, l_leaf_2, l_leaf_3;
INSERT INTO l_root SELECT g, 'v' || g, g FROM generate_series(1, 3) g;
UPDATE l_root SET id = id + 10;
DELETE FROM l_root;
SELECT * FROM recs('l_top');
SELECT * FROM recs('l_low,l_top');
SELECT count(*) FROM changes();
-- generated columns
SELECT current_setting('server_version_num')::int >= 180000 AS generated \gset
CREATE TABLE l_gen (id int PRIMARY KEY, v int, twice int GENERATED ALWAYS AS (v * 2) STORED);
CREATE PUBLICATION l_plain FOR TABLE l_gen;
CREATE PUBLICATION l_both FOR TABLE l_gen (id, v);
INSERT INTO l_gen VALUES (1, 2);
SELECT cols, op FROM recs('l_plain,l_both');
SELECT count(*) FROM changes();
\if :generated
CREATE PUBLICATION l_listed FOR TABLE l_gen (twice, id);
CREATE PUBLICATION l_stored FOR TABLE l_gen WITH (publish_generated_columns = stored);
CREATE PUBLICATION l_three FOR TABLE l_gen (id, v, twice);
INSERT INTO l_gen VALUES (2, 3);
SELECT op || cols AS one FROM recs('l_listed') \gset
SELECT op || cols AS two FROM recs('l_stored,l_three') \gset
SELECT count(*) AS n FROM changes() \gset
DROP PUBLICATION l_listed, l_stored, l_three;
\else
\set one '{"Insert":["2","6"]}["id","twice"]'
\set two '{"Insert":["2","3","6"]}["id","v","twice"]'
\endif
\echo :one
\echo :two
DROP PUBLICATION l_two, l_none, l_list, l_less, l_same, l_every, l_truncate, l_v, l_vw, l_top, l_low, l_plain, l_both;
DROP TABLE l_some, l_all, l_keyless, l_root, l_gen;
DROP FUNCTION recs(text);
DROP EXTENSION wal2kafka;
SELECT count(*) FROM changes();
