--
-- Publications: which tables, which operations, under which name.
--
SET synchronous_commit = on;
CREATE TABLE pub_a (id int PRIMARY KEY);
CREATE TABLE pub_b (id int PRIMARY KEY);
CREATE TABLE pub_c (id int PRIMARY KEY);
CREATE PUBLICATION pa FOR TABLE pub_a WITH (publish = 'insert');
CREATE PUBLICATION "p B" FOR TABLE pub_a, pub_b WITH (publish = 'delete');
CREATE PUBLICATION pall FOR ALL TABLES;
-- unpublished changes take no number
BEGIN;
INSERT INTO pub_c VALUES (1);
INSERT INTO pub_a VALUES (1);
INSERT INTO pub_b VALUES (1);
UPDATE pub_a SET id = 2;
DELETE FROM pub_a;
DELETE FROM pub_b;
COMMIT;
SELECT data::json -> 'seq_id' AS seq, data::json ->> 'table_name' AS t, data::json -> 'op' AS op
	FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'publication_names', 'pa');
SELECT data::json -> 'seq_id' AS seq, data::json ->> 'table_name' AS t, data::json -> 'op' AS op
	FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'publication_names', 'pa,"p B"');
SELECT data::json -> 'seq_id' AS seq, data::json ->> 'table_name' AS t, data::json -> 'op' AS op
	FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'publication_names', 'pall');
SELECT count(*) FROM changes();
-- a schema's tables, and what is not a table of the user's
CREATE SCHEMA pubs;
CREATE TABLE pubs.t (id int PRIMARY KEY);
CREATE UNLOGGED TABLE pubs.unlogged (id int);
CREATE PUBLICATION pschema FOR TABLES IN SCHEMA pubs;
INSERT INTO pubs.t VALUES (1);
INSERT INTO pubs.unlogged VALUES (1);
INSERT INTO pub_a VALUES (9);
SELECT changes('publication_names', 'pschema');
-- partitions: under their own names, or the root's
CREATE TABLE part (id int, k int, v text, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
CREATE TABLE part_2 (junk int, v text, k int NOT NULL, id int NOT NULL, PRIMARY KEY (id, k));
ALTER TABLE part_2 DROP COLUMN junk;
ALTER TABLE part ATTACH PARTITION part_2 FOR VALUES IN (2);
CREATE PUBLICATION pleaf FOR TABLE part;
CREATE PUBLICATION proot FOR TABLE part WITH (publish_via_partition_root = true);
SELECT count(*) FROM changes();
INSERT INTO part VALUES (1, 1, 'one'), (2, 2, 'two');
UPDATE part SET v = v || '!';
UPDATE part SET k = 2 WHERE id = 1;
DELETE FROM part;
SELECT data FROM (SELECT regexp_replace(data, '"lsn":\d+,|"commit_ts":"[^"]*",', '', 'g') AS data
	FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'publication_names', 'pleaf')) s;
-- both: the topmost name, the operations of either
ALTER PUBLICATION pleaf SET (publish = 'insert');
ALTER PUBLICATION proot SET (publish = 'delete');
INSERT INTO part VALUES (3, 2, 'three');
UPDATE part SET v = 'four' WHERE id = 3;
DELETE FROM part;
SELECT data::json ->> 'table_name' AS t, data::json -> 'op' AS op
	FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'publication_names', 'pleaf,proot')
	WHERE data LIKE '%"3"%';
SELECT changes('publication_names', 'proot');
-- what is only inserted needs no identity, and has a key where there is one
CREATE TABLE pub_ins (id int PRIMARY KEY, v int);
CREATE TABLE pub_bare (id int, v int);
ALTER TABLE pub_ins REPLICA IDENTITY NOTHING;
CREATE PUBLICATION pins FOR TABLE pub_ins, pub_bare, pub_a WITH (publish = 'insert');
INSERT INTO pub_ins VALUES (1, 1);
INSERT INTO pub_bare VALUES (1, 1);
INSERT INTO pub_a VALUES (30);
DELETE FROM pub_a WHERE id = 30;
SELECT changes('publication_names', 'pins');
-- all tables but some: a root stands for its partitions
SELECT current_setting('server_version_num')::int >= 190000 AS has_except \gset
\if :has_except
CREATE PUBLICATION pexcept FOR ALL TABLES EXCEPT (TABLE pub_ins, part);
CREATE PUBLICATION pexcept2 FOR ALL TABLES EXCEPT (TABLE pub_bare) WITH (publish_via_partition_root);
INSERT INTO pub_ins VALUES (2, 2);
INSERT INTO pub_bare VALUES (2, 2);
INSERT INTO part VALUES (5, 1, 'five');
SELECT string_agg(data::json ->> 'table_name', ' ' ORDER BY lsn) AS but_two
	FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'publication_names', 'pexcept') \gset
SELECT string_agg(data::json ->> 'table_name', ' ' ORDER BY lsn) AS but_one
	FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'publication_names', 'pexcept2') \gset
SELECT string_agg(data::json ->> 'table_name', ' ' ORDER BY lsn) AS of_both
	FROM pg_logical_slot_get_changes('regress', NULL, NULL, 'publication_names', 'pexcept,pexcept2') \gset
DROP PUBLICATION pexcept, pexcept2;
\else
\set but_two pub_bare
\set but_one 'pub_ins part'
\set of_both 'pub_ins pub_bare part'
\endif
\echo :but_two / :but_one / :of_both
-- what is missing is named, or contributes nothing until it is there
INSERT INTO pub_a VALUES (7);
INSERT INTO pub_b VALUES (7);
CREATE PUBLICATION plate FOR TABLE pub_b;
INSERT INTO pub_b VALUES (8);
DROP PUBLICATION plate;
INSERT INTO pub_b VALUES (9);
\set VERBOSITY terse
SELECT changes('publication_names', 'pa,plate');
SELECT changes('publication_names', 'pa,plate', 'missing_publication', 'error');
SELECT changes('publication_names', 'pa,plate', 'missing_publication', 'ignore');
\set VERBOSITY default
SELECT data::json ->> 'table_name' AS t, data::json -> 'op' AS op
	FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'publication_names', 'plate,nowhere', 'missing_publication', 'skip');
SELECT data::json ->> 'table_name' AS t, data::json -> 'op' AS op
	FROM pg_logical_slot_get_changes('regress', NULL, NULL, 'publication_names', 'pa,plate', 'missing_publication', 'skip');
-- membership counts from its commit on
CREATE PUBLICATION pmove FOR TABLE pub_a;
INSERT INTO pub_b VALUES (20);
ALTER PUBLICATION pmove ADD TABLE pub_b;
INSERT INTO pub_b VALUES (21);
ALTER PUBLICATION pmove DROP TABLE pub_b;
INSERT INTO pub_b VALUES (22);
INSERT INTO pub_a VALUES (20);
SELECT changes('publication_names', 'pmove', 'fields', 'none');
DROP PUBLICATION pa, "p B", pall, pschema, pleaf, proot, pmove, pins;
DROP TABLE pub_a, pub_b, pub_c, pub_ins, pub_bare, part;
DROP SCHEMA pubs CASCADE;
SELECT count(*) FROM changes();
