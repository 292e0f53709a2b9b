--
-- Large values that an update did not touch: taken from OLD or left out,
-- never null and never fetched.
--
SET synchronous_commit = on;
CREATE TABLE big (id int PRIMARY KEY, doc text, note text);
ALTER TABLE big ALTER doc SET STORAGE EXTERNAL;
CREATE FUNCTION short_changes() RETURNS SETOF text LANGUAGE sql AS
$$ SELECT regexp_replace(changes(), '(.)\1{99,}', '\1...', 'g') $$;
INSERT INTO big VALUES (1, repeat('a', 5000), 'n'), (2, 'small', 'n');
UPDATE big SET note = 'm';
UPDATE big SET doc = repeat('b', 5000) WHERE id = 1;
UPDATE big SET doc = NULL WHERE id = 1;
SELECT short_changes();
UPDATE big SET doc = repeat('c', 5000) WHERE id = 1;
ALTER TABLE big REPLICA IDENTITY FULL;
UPDATE big SET note = 'o' WHERE id = 1;
DELETE FROM big WHERE id = 1;
SELECT short_changes();
-- compressed
CREATE TABLE packed (id int PRIMARY KEY, doc text, note text);
INSERT INTO packed SELECT 1, string_agg(md5(i::text), ''), 'n' FROM generate_series(1, 200) i;
UPDATE packed SET note = 'm';
SELECT length(changes());
-- a key column that is large: logged with each update, changed or not
CREATE TABLE bigkey (k text NOT NULL, v int);
ALTER TABLE bigkey ALTER k SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX bigkey_k ON bigkey (k);
ALTER TABLE bigkey REPLICA IDENTITY USING INDEX bigkey_k;
INSERT INTO bigkey VALUES (repeat('k', 2500), 1);
UPDATE bigkey SET v = 2;
UPDATE bigkey SET k = repeat('l', 2500);
DELETE FROM bigkey;
SELECT short_changes();
DROP TABLE big, packed, bigkey;
DROP FUNCTION short_changes;
SELECT count(*) FROM changes();
