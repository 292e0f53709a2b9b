-- Records that existing rows would get
CREATE EXTENSION wal2kafka;
CREATE SCHEMA preview;
SET search_path = preview;
\set SHOW_CONTEXT never

CREATE TABLE orders (gone int, id int PRIMARY KEY, total numeric(10,2),
	at timestamptz, span interval, raw bytea, tags text[], note text,
	doubled numeric GENERATED ALWAYS AS (total * 2) STORED);
ALTER TABLE orders DROP COLUMN gone;
INSERT INTO orders VALUES
	(1, 10.5, '2026-01-02 03:04:05+06', '1 day 2 hours', '\x00ff',
		'{a,"b c"}', E'quote " backslash \\ newline \n ö'),
	(2, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE VIEW shown AS
SELECT topic, key, value::jsonb - 'commit_ts' AS value
FROM wal2kafka.preview('orders');
SELECT * FROM shown;
SELECT value::jsonb ->> 'commit_ts' ~ '^2\d{3}-\d\d-\d\dT[\d:.]+Z$' AS has_time
FROM wal2kafka.preview('orders', 1);

-- the caller's settings do not reach the text, nor the other way round
SET datestyle = 'German';
SET timezone = 'Asia/Tokyo';
SET intervalstyle = 'iso_8601';
SET bytea_output = 'escape';
SET extra_float_digits = -3;
SELECT value -> 'op' AS op FROM shown;
SHOW datestyle;
SHOW search_path;
RESET ALL;
SET search_path = preview;

-- values out of line are fetched here
ALTER TABLE orders ALTER note SET STORAGE EXTERNAL;
INSERT INTO orders (id, note) VALUES (3, repeat('long', 10000));
SELECT key, length(value) > 40000 AS whole, value::jsonb -> 'unchanged' AS unchanged
FROM wal2kafka.preview('orders') WHERE key = '3';

-- routes
ALTER TABLE orders REPLICA IDENTITY FULL;
SELECT wal2kafka.set_route('orders', topic => 'bills', key => '{total,id}');
SELECT topic, key, value -> 'key' AS identity FROM shown;
SELECT wal2kafka.set_route('orders', key => '{total}');
SELECT topic, key FROM shown;
SELECT wal2kafka.reset_route('orders');

-- how many
SELECT count(*) FROM wal2kafka.preview('orders', 2);
SELECT count(*) FROM wal2kafka.preview('orders', 0);
SELECT count(*) FROM wal2kafka.preview('orders', -1);
INSERT INTO orders (id) SELECT generate_series(4, 40);
SELECT count(*), count(DISTINCT value::jsonb ->> 'seq_id')
FROM wal2kafka.preview('orders');

-- what an insert is then decoded as, but for its position
SELECT 'made' FROM pg_create_logical_replication_slot('preview', 'wal2kafka');
TRUNCATE orders;
INSERT INTO orders VALUES
	(1, 10.5, '2026-01-02 03:04:05+06', '1 day 2 hours', '\x00ff',
		'{a,"b c"}', E'quote " backslash \\ newline \n ö'),
	(2, NULL, NULL, NULL, NULL, NULL, NULL);
SELECT p.value::jsonb - 'lsn' - 'commit_ts' =
	d.value::jsonb - 'lsn' - 'commit_ts' AS same_value,
	p.topic = d.topic AS same_topic
FROM wal2kafka.preview('orders') p
	JOIN wal2kafka.peek_changes('preview') d USING (key);
SELECT pg_drop_replication_slot('preview');

-- partitions: the rows' own route, key and column order; inheritance not
CREATE TABLE events (region text NOT NULL, id int, note text,
	PRIMARY KEY (region, id)) PARTITION BY LIST (region);
CREATE TABLE events_eu (note text, gone int, id int NOT NULL,
	region text NOT NULL);
ALTER TABLE events_eu DROP COLUMN gone;
ALTER TABLE events ATTACH PARTITION events_eu FOR VALUES IN ('eu');
CREATE TABLE events_us PARTITION OF events FOR VALUES IN ('us');
INSERT INTO events VALUES ('eu', 1, 'x'), ('us', 2, 'y');
SELECT wal2kafka.set_route('events', topic => 'events', key => '{id}');
SELECT wal2kafka.set_route('events_us', topic => 'us');
SELECT topic, key, value::json -> 'col_names' AS col_names,
	value::json -> 'op' AS op FROM wal2kafka.preview('events');
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE child () INHERITS (parent);
INSERT INTO parent VALUES (1);
INSERT INTO child VALUES (2);
SELECT topic, key FROM wal2kafka.preview('parent');
SELECT topic, key FROM wal2kafka.preview('child');

-- names that need quotes
CREATE TABLE "Größe ""x""" ("Ä ""b""" int PRIMARY KEY, tableoid_ int, r int);
INSERT INTO "Größe ""x""" VALUES (1, 2, 3);
SELECT topic, key, value::json -> 'table_name' AS table_name,
	value::json -> 'col_names' AS col_names
FROM wal2kafka.preview('"Größe ""x"""');

-- the caller's rights and row security
CREATE ROLE regress_wal2kafka_user;
GRANT USAGE ON SCHEMA preview TO regress_wal2kafka_user;
SET ROLE regress_wal2kafka_user;
SELECT key FROM wal2kafka.preview('orders');
RESET ROLE;
GRANT SELECT (id) ON orders TO regress_wal2kafka_user;
SET ROLE regress_wal2kafka_user;
SELECT key FROM wal2kafka.preview('orders');
RESET ROLE;
GRANT SELECT ON orders TO regress_wal2kafka_user;
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY odd ON orders USING (id % 2 = 1);
SET ROLE regress_wal2kafka_user;
SELECT key FROM wal2kafka.preview('orders');
RESET ROLE;
SELECT key FROM wal2kafka.preview('orders');

-- what is never captured
CREATE VIEW a_view AS SELECT 1 AS id;
SELECT * FROM wal2kafka.preview('a_view');
SELECT * FROM wal2kafka.preview('orders_pkey');
SELECT * FROM wal2kafka.preview('pg_class', 1);
CREATE UNLOGGED TABLE fleeting AS SELECT 1 AS id;
SELECT * FROM wal2kafka.preview('fleeting');
SELECT * FROM wal2kafka.preview('nowhere');
SELECT * FROM wal2kafka.preview('0');
SELECT * FROM wal2kafka.preview(NULL);

SET client_min_messages = warning;
DROP SCHEMA preview CASCADE;
DROP ROLE regress_wal2kafka_user;
DROP EXTENSION wal2kafka;
