--
-- Records that are too large: halt with everything named, or go out as stubs.
--
SET synchronous_commit = on;
SET client_min_messages = warning;
\set VERBOSITY terse
CREATE TABLE doc (id int PRIMARY KEY, a text, b text, note text);
ALTER TABLE doc ALTER a SET STORAGE EXTERNAL;
CREATE FUNCTION short_changes(VARIADIC options text[]) RETURNS SETOF text LANGUAGE sql AS
$$ SELECT regexp_replace(changes(VARIADIC options), '(.)\1{40,}', '\1...', 'g') $$;
-- The name of the record that is n-th to come.
CREATE FUNCTION name_of(op text, n int) RETURNS text LANGUAGE sql AS $$
	SELECT '0/0'::pg_lsn + (j ->> 'lsn')::numeric || '/' || (j ->> 'seq_id')
	FROM (SELECT data::json j FROM pg_logical_slot_peek_changes('regress', NULL, NULL)) s
	WHERE j -> 'op' -> op IS NOT NULL OFFSET n LIMIT 1 $$;

INSERT INTO doc VALUES (1, 'small', 'x', 'first');
INSERT INTO doc VALUES (2, repeat('a', 900), repeat('b', 600), 'second'), (3, 'x', 'y', 'third');
SELECT count(*) FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'max_record', '1000');
SELECT count(*) FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'max_record', '1000', 'stub', '0/1/0');
SELECT count(*) FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'max_record', '1000', 'stub', name_of('Insert', 0));
SELECT count(*) FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'max_record', '1000', 'stub', name_of('Insert', 1));
-- the fewest columns, the largest first
SELECT length(data) <= l AS fits, j -> 'col_names' AS col_names, j -> 'omitted' AS omitted
FROM unnest(ARRAY[1700, 1600, 1000, 750, 600, 300]) l,
	LATERAL (SELECT data, data::json AS j FROM pg_logical_slot_peek_changes('regress', NULL, NULL,
		'max_record', l::text, 'on_error', 'stub') OFFSET 1 LIMIT 1) d;
SELECT short_changes('max_record', '1000', 'stub', name_of('Insert', 1));

-- what counts is the escaped form
INSERT INTO doc VALUES (4, repeat(E'\x01', 300), repeat('b', 600), 'fourth');
SELECT short_changes('max_record', '1000', 'on_error', 'stub');
-- compressed, and toasted: the size is known without the value
INSERT INTO doc VALUES (5, NULL, repeat('compressed', 100000), 'fifth');
INSERT INTO doc SELECT 6, repeat('x', 3000000), NULL, 'sixth';
SELECT short_changes('max_record', '1000', 'on_error', 'stub');

-- 64 bytes for each name, of which few are sent
CREATE TABLE named (id int PRIMARY KEY, names name[]);
INSERT INTO named VALUES (1, array_fill('n'::name, ARRAY[20000]));
SELECT length(data) > 40000 AS whole, data::json -> 'omitted' AS omitted
FROM pg_logical_slot_get_changes('regress', NULL, NULL, 'max_record', '50000');
DROP TABLE named;

-- an update: OLD has no large value to lose, NEW does
UPDATE doc SET a = repeat('c', 2000) WHERE id = 1;
DELETE FROM doc WHERE id = 1;
-- FULL: OLD is cut to its key first, and all of NEW arrives
ALTER TABLE doc REPLICA IDENTITY FULL;
UPDATE doc SET a = repeat('d', 700), b = 'd' WHERE id = 2;
UPDATE doc SET a = repeat('e', 700) WHERE id = 2;
UPDATE doc SET a = repeat('f', 5000) WHERE id = 2;
DELETE FROM doc WHERE id = 2;
SELECT short_changes('max_record', '1000', 'on_error', 'stub');
-- a key change: two records, each of which may be a stub
UPDATE doc SET id = 30, a = repeat('g', 2000) WHERE id = 3;
SELECT short_changes('max_record', '1000', 'on_error', 'stub');

-- without a key OLD lacks the column too, and is parallel to col_names
CREATE TABLE keyless (a text, b text, n int);
ALTER TABLE keyless REPLICA IDENTITY FULL;
INSERT INTO keyless VALUES ('x', repeat('b', 600), 1);
UPDATE keyless SET b = repeat('c', 600), n = 2;
DELETE FROM keyless;
SELECT short_changes('max_record', '1000', 'on_error', 'stub');

-- what must stay is too large: halts, unless it is named; then it is dropped,
-- and its number goes to the next
CREATE TABLE wide_key (k text PRIMARY KEY, v text);
ALTER TABLE wide_key ALTER k SET STORAGE EXTERNAL;
INSERT INTO wide_key VALUES ('before', 'v'), (repeat('k', 1500), 'v'), ('after', 'v');
SELECT count(*) FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'max_record', '1000', 'on_error', 'stub');
SELECT count(*) FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'max_record', '1000', 'stub', name_of('Insert', 0));
SELECT short_changes('max_record', '1000', 'stub', name_of('Insert', 1));
CREATE TABLE one (a text);
INSERT INTO one VALUES (repeat('k', 1500)), (repeat('k', 1500)), ('small');
SELECT count(*) FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'max_record', '1000', 'on_error', 'stub');
SELECT count(*) FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'max_record', '1000', 'stub', name_of('Insert', 0));
SELECT short_changes('max_record', '1000', 'stub', name_of('Insert', 0) || ', ' || name_of('Insert', 0));

-- frames: a notice in front of a stub; what a dropped record announced is
-- announced for the next
INSERT INTO wide_key VALUES (repeat('m', 1500), 'v');
INSERT INTO wide_key VALUES ('next', repeat('v', 2000));
SELECT short_changes('max_record', '1000', 'stub', name_of('Insert', 0), 'on_error', 'stub');

-- a type whose output function fails on some values
CREATE TYPE moody;
CREATE FUNCTION moody_in(cstring) RETURNS moody AS 'int8in' LANGUAGE internal STRICT IMMUTABLE;
CREATE FUNCTION moody_out(moody) RETURNS cstring AS 'timestamp_out' LANGUAGE internal STRICT IMMUTABLE;
CREATE TYPE moody (INPUT = moody_in, OUTPUT = moody_out, LIKE = timestamp);
CREATE DOMAIN moodier AS moody;
CREATE TYPE moods AS (a int, b moody);
CREATE TABLE person (id int PRIMARY KEY, m moody, l moodier[], c moods, note text);
CREATE TABLE by_mood (m moody, id int);
ALTER TABLE by_mood REPLICA IDENTITY FULL;
INSERT INTO person VALUES (1, '0', '{0,0}', '(1,0)', 'well');
INSERT INTO person VALUES (2, '-9000000000000000000', '{0}', NULL, 'm'), (3, '0', NULL, NULL, 'well');
INSERT INTO person VALUES (4, '0', '{0,-9000000000000000000}', '(1,-9000000000000000000)', 'l and c');
INSERT INTO by_mood VALUES ('-9000000000000000000', 1), ('0', 2);
UPDATE by_mood SET m = '0' WHERE id = 1;
DELETE FROM by_mood;
SELECT count(*) FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'on_error', 'halt');
SELECT short_changes('on_error', 'stub');
INSERT INTO person VALUES (5, '-9000000000000000000', NULL, NULL, 'named'), (6, '-9000000000000000000', NULL, NULL, 'not');
CREATE FUNCTION last_lsn() RETURNS text LANGUAGE sql AS
$$ SELECT '0/0'::pg_lsn + max((data::json ->> 'lsn')::numeric) FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'on_error', 'stub') $$;
SELECT count(*) FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'stub', last_lsn() || '/0');
SELECT short_changes('stub', last_lsn() || '/0,' || last_lsn() || '/1');
DROP TABLE person, by_mood;
DROP FUNCTION last_lsn;
DROP TYPE moody CASCADE;

-- names that are none
SELECT count(*) FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'stub', 'x');
SELECT count(*) FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'stub', '0/1');
SELECT count(*) FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'stub', '0/1/2/3');
SELECT count(*) FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'stub', '0/1/2,');
SELECT count(*) FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'stub', '0/1/-2');
SELECT count(*) FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'stub', '100000000/0/0');
SELECT count(*) FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'stub', '0/1/10000000000000000000');
SELECT count(*) FROM pg_logical_slot_peek_changes('regress', NULL, NULL, 'on_error', 'maybe');

DROP TABLE doc, keyless, wide_key, one;
DROP FUNCTION short_changes, name_of;
SELECT count(*) FROM changes();
