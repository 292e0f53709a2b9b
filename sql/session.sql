--
-- A record does not depend on the session that reads it, and the session
-- keeps its settings.
--
SET synchronous_commit = on;
CREATE TABLE ses (id int PRIMARY KEY, ts timestamptz, d date, iv interval, b bytea,
	f float8, m money, r regclass);
INSERT INTO ses VALUES (1, '2026-01-02 03:04:05.678+00', '2026-01-02', '1 year 2 days 3 hours',
	'\x0102', 0.1::float8 + 0.2, 12.5, 'ses');
CREATE TEMP TABLE seen AS SELECT data FROM pg_logical_slot_peek_changes('regress', NULL, NULL)
	WHERE data LIKE '%"ses"%';
SET DateStyle = 'SQL, DMY';
SET IntervalStyle = 'iso_8601';
SET TimeZone = 'Asia/Kathmandu';
SET bytea_output = 'escape';
SET extra_float_digits = -15;
SET quote_all_identifiers = on;
SET search_path = 'pg_catalog';
SELECT count(*) FROM pg_logical_slot_peek_changes('regress', NULL, NULL) c
	JOIN pg_temp.seen USING (data);
SHOW DateStyle;
SHOW extra_float_digits;
-- also after an error in the middle
\set VERBOSITY terse
SELECT count(*) FROM pg_logical_slot_peek_binary_changes('regress', NULL, NULL,
	'proto_version', '1', 'max_record', '10');
\set VERBOSITY default
SHOW TimeZone;
SHOW search_path;
RESET ALL;
SET synchronous_commit = on;
SELECT changes();
DROP TABLE ses, seen;
SELECT count(*) FROM changes();
SELECT pg_drop_replication_slot('regress');
DROP FUNCTION changes;
