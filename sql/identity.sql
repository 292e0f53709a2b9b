--
-- Replica identities: what OLD holds, what "key" and "identity" say.
--
SET synchronous_commit = on;
-- DEFAULT: the primary key, in the index's order
CREATE TABLE idef (a int, b text, c int, PRIMARY KEY (c, a));
INSERT INTO idef VALUES (1, 'one', 10), (2, NULL, 20);
UPDATE idef SET b = 'uno' WHERE a = 1;
DELETE FROM idef WHERE a = 2;
SELECT changes();
-- INDEX: another unique index
CREATE TABLE iidx (a int PRIMARY KEY, b text NOT NULL UNIQUE, c int);
ALTER TABLE iidx REPLICA IDENTITY USING INDEX iidx_b_key;
INSERT INTO iidx VALUES (1, 'x', 1);
UPDATE iidx SET c = 2;
UPDATE iidx SET a = 2;
DELETE FROM iidx;
SELECT changes();
-- FULL, with and without a primary key
CREATE TABLE ifull (a int PRIMARY KEY, b text);
ALTER TABLE ifull REPLICA IDENTITY FULL;
INSERT INTO ifull VALUES (1, NULL);
UPDATE ifull SET b = 'x';
DELETE FROM ifull;
CREATE TABLE ifullnokey (a int, b text);
ALTER TABLE ifullnokey REPLICA IDENTITY FULL;
INSERT INTO ifullnokey VALUES (NULL, NULL), (1, 'x');
UPDATE ifullnokey SET b = 'y';
DELETE FROM ifullnokey;
SELECT changes();
-- NOTHING, and DEFAULT without a key: no old row, never an empty one
CREATE TABLE inone (a int PRIMARY KEY, b text);
ALTER TABLE inone REPLICA IDENTITY NOTHING;
INSERT INTO inone VALUES (1, 'x');
UPDATE inone SET a = 2;
DELETE FROM inone;
CREATE TABLE inokey (a int, b text);
INSERT INTO inokey VALUES (1, 'x');
UPDATE inokey SET a = 2;
DELETE FROM inokey;
SELECT changes();
-- changed in mid-transaction, with data on both sides
CREATE TABLE ichg (a int PRIMARY KEY, b text);
BEGIN;
INSERT INTO ichg VALUES (1, 'x');
UPDATE ichg SET b = 'y';
ALTER TABLE ichg REPLICA IDENTITY FULL;
UPDATE ichg SET b = 'z';
ALTER TABLE ichg REPLICA IDENTITY NOTHING;
DELETE FROM ichg;
COMMIT;
SELECT changes();
-- a deferrable primary key identifies nothing
CREATE TABLE idefer (a int PRIMARY KEY DEFERRABLE, b int);
INSERT INTO idefer VALUES (1, 1);
DELETE FROM idefer;
SELECT changes();
DROP TABLE idef, iidx, ifull, ifullnokey, inone, inokey, ichg, idefer;
SELECT count(*) FROM changes();
