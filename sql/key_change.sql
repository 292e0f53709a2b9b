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
DROP TABLE kc, kcnum, kcs;
SELECT count(*) FROM changes();
