--
-- An update that changes the key: a delete and an insert, or one update.
--
SET synchronous_commit = on;
CREATE TABLE kc (id int PRIMARY KEY, v text);
INSERT INTO kc VALUES (1, 'a'), (2, 'b');
UPDATE kc SET id = id + 10;
UPDATE kc SET id = id, v = v || '!';
SELECT changes();
UPDATE kc SET id = id + 10 WHERE id = 11;
SELECT changes('key_change', 'update');
-- FULL: the old row whole; a change of another column is no key change
ALTER TABLE kc REPLICA IDENTITY FULL;
UPDATE kc SET id = id + 10 WHERE id = 21;
UPDATE kc SET v = 'c' WHERE id = 31;
SELECT changes();
-- judged by the key's text: 1.0 and 1.00 differ, as they do for a consumer
CREATE TABLE kcnum (n numeric PRIMARY KEY);
INSERT INTO kcnum VALUES (1.0);
UPDATE kcnum SET n = 1.00;
SELECT changes();
-- a swap: the order of records is the order of changes
CREATE TABLE kcs (id int PRIMARY KEY DEFERRABLE INITIALLY IMMEDIATE, v text);
ALTER TABLE kcs REPLICA IDENTITY FULL;
INSERT INTO kcs VALUES (1, 'a'), (2, 'b');
UPDATE kcs SET id = 3 - id;
SELECT changes();
-- numbers go on through both halves
BEGIN;
INSERT INTO kc VALUES (100, 'x');
UPDATE kc SET id = 101 WHERE id = 100;
SAVEPOINT s;
DELETE FROM kc;
ROLLBACK TO s;
DELETE FROM kc WHERE id = 101;
COMMIT;
SELECT changes('fields', 'none');
-- another key than the identity, by a route: a row that becomes another one is
-- split too, though its Kafka key stays; by the stored bytes, then by the text
CREATE TABLE kcr (grp text, id numeric, v text, PRIMARY KEY (grp, id));
INSERT INTO kcr VALUES ('g', 1, 'a');
UPDATE kcr SET id = 2;
UPDATE kcr SET v = 'b';
UPDATE kcr SET grp = 'h';
UPDATE kcr SET grp = 'i', id = 3;
UPDATE kcr SET id = id + 0.0;
SELECT changes('routes', 'public.kcr key=grp');
UPDATE kcr SET id = 4;
SELECT changes('routes', 'public.kcr key=grp', 'key_change', 'update');
-- FULL: the primary key counts as the identity, if there is one
ALTER TABLE kcr REPLICA IDENTITY FULL;
UPDATE kcr SET id = 5;
UPDATE kcr SET grp = 'j';
UPDATE kcr SET v = 'c';
SELECT changes('routes', 'public.kcr key=v');
ALTER TABLE kcr DROP CONSTRAINT kcr_pkey;
UPDATE kcr SET id = 6;
SELECT changes('routes', 'public.kcr key=v');
-- a large column of the identity that stays
ALTER TABLE kcr ALTER v SET STORAGE EXTERNAL, ADD PRIMARY KEY (id, v), REPLICA IDENTITY DEFAULT;
UPDATE kcr SET v = repeat('v', 2500);
SELECT count(*) FROM changes();
UPDATE kcr SET grp = 'k';
UPDATE kcr SET v = repeat('v', 2500) || '';
SELECT data::json -> 'op' ->> 'Update' IS NOT NULL AS updated
FROM pg_logical_slot_get_changes('regress', NULL, NULL, 'routes', 'public.kcr key=id');
DROP TABLE kc, kcnum, kcs, kcr;
SELECT count(*) FROM changes();
