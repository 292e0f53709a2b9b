--
-- TRUNCATE: skipped, emitted or refused.
--
SET synchronous_commit = on;
CREATE TABLE tr (id int PRIMARY KEY);
CREATE TABLE tr_child (id int REFERENCES tr);
CREATE TABLE tr_part (id int) PARTITION BY LIST (id);
CREATE TABLE tr_part_1 PARTITION OF tr_part FOR VALUES IN (1);
-- takes no number
BEGIN;
INSERT INTO tr VALUES (1);
TRUNCATE tr CASCADE;
INSERT INTO tr VALUES (2);
COMMIT;
SELECT changes();
BEGIN;
INSERT INTO tr VALUES (3);
TRUNCATE tr RESTART IDENTITY CASCADE;
INSERT INTO tr VALUES (4);
TRUNCATE tr_part;
COMMIT;
SELECT changes('truncate', 'emit');
TRUNCATE tr_child;
\set VERBOSITY terse
SELECT changes('truncate', 'halt');
\set VERBOSITY default
-- which one it is
CREATE EXTENSION wal2kafka;
DO $$
DECLARE
	context text;
BEGIN
	PERFORM * FROM wal2kafka.peek_changes('regress', 1, 'truncate', 'halt');
EXCEPTION WHEN feature_not_supported THEN
	GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
	RAISE NOTICE '%', regexp_replace(split_part(context, E'\n', 1),
		'lsn \d+ \([0-9A-F]+/[0-9A-F]+\)', 'lsn N');
END $$;
DROP EXTENSION wal2kafka;
-- only where it is published
CREATE PUBLICATION ptr FOR TABLE tr, tr_child WITH (publish = 'insert');
SELECT count(*) FROM changes();
TRUNCATE tr_child;
INSERT INTO tr VALUES (5);
SELECT changes('truncate', 'halt', 'publication_names', 'ptr');
DROP PUBLICATION ptr;
DROP TABLE tr, tr_child, tr_part;
SELECT count(*) FROM changes();
