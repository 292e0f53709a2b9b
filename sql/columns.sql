--
-- Columns: dropped, added, renamed, generated; names that need escaping.
--
SET synchronous_commit = on;
CREATE TABLE col (a int, b text, c int PRIMARY KEY);
INSERT INTO col VALUES (1, 'x', 1);
ALTER TABLE col DROP COLUMN a;
INSERT INTO col VALUES ('y', 2);
ALTER TABLE col ADD COLUMN d int DEFAULT 7;
UPDATE col SET b = 'z' WHERE c = 1;
ALTER TABLE col RENAME COLUMN b TO "b ""q"" \ b";
ALTER TABLE col ALTER d TYPE text;
DELETE FROM col WHERE c = 2;
INSERT INTO col VALUES ('w', 3, 'text');
SELECT changes();
BEGIN;
UPDATE col SET d = 'before';
ALTER TABLE col ADD COLUMN e bool;
UPDATE col SET e = true;
ALTER TABLE col DROP COLUMN d;
UPDATE col SET e = false WHERE c = 3;
COMMIT;
SELECT changes();
-- generated
CREATE TABLE gen (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED);
INSERT INTO gen VALUES (1);
UPDATE gen SET id = 2;
SELECT changes();
INSERT INTO gen VALUES (3);
SELECT changes('generated', 'stored');
-- identified by a column that is not published: by nothing
CREATE TABLE genkey (id int, twice int GENERATED ALWAYS AS (id * 2) STORED PRIMARY KEY);
INSERT INTO genkey VALUES (1);
DELETE FROM genkey;
SELECT changes();
-- without columns
CREATE TABLE nocol ();
INSERT INTO nocol DEFAULT VALUES;
DELETE FROM nocol;
SELECT changes();
-- names of a table and a schema, values
CREATE SCHEMA "s.""\";
CREATE TABLE "s.""\"."Tab
le" ("__proto__" text PRIMARY KEY);
INSERT INTO "s.""\"."Tab
le" VALUES (E'\b\f\n\r\t\x01\x1f\x7f"\\/<>&\u2028\U0001F600'), (''), (repeat('"\', 40));
SELECT changes();
-- one of each short path, with its extremes
CREATE TABLE typ (i2 int2, i4 int4, i8 int8, b bool, t text, v varchar(9), c char(5),
	by bytea, n numeric, f4 float4, f8 float8, d date, ts timestamp, tz timestamptz,
	iv interval, u uuid, j json, jb jsonb, a text[], x xid8);
INSERT INTO typ VALUES (-32768, -2147483648, -9223372036854775808, true, '', 'v', 'c',
	'\x00ff', 'NaN', '-infinity', 0.1::float8 + 0.2, 'infinity', '4713-01-01 BC', '2020-02-02 02:02:02.02+05',
	'1 mon -2 days 03:04:05', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a" :1e400, "a":2}',
	'{"a":1e400}', ARRAY['a"b', NULL, '\'], '18446744073709551615');
INSERT INTO typ VALUES (32767, 2147483647, 9223372036854775807, false, NULL, NULL, NULL,
	'', '1e-20', 'NaN', -0.0::float8, '-infinity', 'infinity', '-infinity');
SELECT changes();
DROP TABLE col, gen, genkey, nocol, typ;
DROP SCHEMA "s.""\" CASCADE;
SELECT count(*) FROM changes();
