-- Setting, resetting and showing routes
CREATE EXTENSION wal2kafka;
CREATE SCHEMA routes;
SET search_path = routes;

CREATE TABLE orders (id int, customer_id int, "Tenant" text NOT NULL,
	gone int, total int,
	doubled int GENERATED ALWAYS AS (total * 2) STORED,
	PRIMARY KEY ("Tenant", id) INCLUDE (total));
ALTER TABLE orders DROP COLUMN gone;
CREATE TABLE "Größe x" (id int);
CREATE TABLE by_index (a int NOT NULL, b int NOT NULL, c int);
CREATE UNIQUE INDEX by_index_b_a ON by_index (b, a);
ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_b_a;
CREATE TABLE by_full (id int PRIMARY KEY, customer_id int);
ALTER TABLE by_full REPLICA IDENTITY FULL;
CREATE TABLE by_nothing (id int PRIMARY KEY);
ALTER TABLE by_nothing REPLICA IDENTITY NOTHING;
CREATE TABLE deferred (id int PRIMARY KEY DEFERRABLE);
CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY);
CREATE TEMPORARY TABLE temp (id int PRIMARY KEY);

-- nothing set: the defaults
CREATE VIEW mine AS
SELECT relation, topic, key, topic_source, key_source FROM wal2kafka.routes
WHERE relation::text NOT LIKE 'wal2kafka%';
SELECT * FROM mine ORDER BY relation::text COLLATE "C";

-- a whole route each time: what is left out takes its default
SELECT wal2kafka.set_route('orders', topic => 'orders', key => '{Tenant}');
SELECT * FROM mine WHERE relation = 'orders'::regclass;
SELECT wal2kafka.set_route('orders', key => '{id,Tenant}');
SELECT * FROM mine WHERE relation = 'orders'::regclass;
SELECT wal2kafka.set_route('orders', 'orders.v2');
SELECT * FROM mine WHERE relation = 'orders'::regclass;
SELECT objtype, objname, label FROM pg_seclabels
WHERE provider = 'wal2kafka' ORDER BY objname COLLATE "C";
SELECT wal2kafka.reset_route('orders');
SELECT wal2kafka.reset_route('orders');
SELECT * FROM mine WHERE relation = 'orders'::regclass;

-- a key must lie within what a delete carries
SELECT wal2kafka.set_route('orders', key => '{customer_id}');
SELECT wal2kafka.set_route('orders', key => '{id,total}');
SELECT wal2kafka.set_route('by_index', key => '{a}');
SELECT wal2kafka.set_route('by_index', key => '{b,c}');
SELECT wal2kafka.set_route('by_nothing', key => '{id}');
SELECT wal2kafka.set_route('deferred', key => '{id}');
SELECT wal2kafka.set_route('by_full', key => '{customer_id}');
SELECT wal2kafka.set_route('by_nothing', topic => 'nothing');
SELECT wal2kafka.set_route('"Größe x"', topic => 'size');

-- a key that is none
SELECT wal2kafka.set_route('orders', key => '{nope}');
SELECT wal2kafka.set_route('orders', key => '{tenant}');
SELECT wal2kafka.set_route('orders', key => '{ctid}');
SELECT wal2kafka.set_route('orders', key => '{........pg.dropped.4........}');
SELECT wal2kafka.set_route('orders', key => '{id,Tenant,id}');
SELECT wal2kafka.set_route('orders', key => '{doubled}');
SELECT wal2kafka.set_route('orders', key => '{}');
SELECT wal2kafka.set_route('orders', key => '{{id},{Tenant}}');
SELECT wal2kafka.set_route('orders', key => '{NULL}');
SELECT wal2kafka.set_route('orders', topic => 'my orders');
SELECT wal2kafka.set_route('orders', topic => '');
SELECT wal2kafka.set_route('orders');
SELECT wal2kafka.set_route(NULL, topic => 'orders');
SELECT wal2kafka.set_route('nowhere', topic => 'orders');
SELECT wal2kafka.set_route('mine', topic => 'orders');
SELECT wal2kafka.set_route('mine', key => '{topic}');
SELECT wal2kafka.set_route('orders_pkey', topic => 'orders');
SELECT wal2kafka.set_route('pg_class', topic => 'orders');
SELECT wal2kafka.set_route('0', topic => 'orders');
SELECT wal2kafka.reset_route('0');
SELECT * FROM wal2kafka.label_route('0');
SELECT * FROM mine ORDER BY relation::text COLLATE "C";

-- keys follow their columns
ALTER TABLE by_full RENAME customer_id TO "Client id";
SELECT * FROM mine WHERE relation = 'by_full'::regclass;
ALTER TABLE by_full DROP COLUMN "Client id";
SELECT * FROM mine WHERE relation = 'by_full'::regclass;

-- partitions take the nearest route above them, columns by name
CREATE TABLE events (region text NOT NULL, id int, n int, note text,
	PRIMARY KEY (region, id)) PARTITION BY LIST (region);
CREATE TABLE events_eu (id int NOT NULL, n int, note text, skip int,
	region text NOT NULL) PARTITION BY RANGE (id);
ALTER TABLE events_eu DROP COLUMN skip;
ALTER TABLE events ATTACH PARTITION events_eu FOR VALUES IN ('eu');
CREATE TABLE events_eu_1 PARTITION OF events_eu FOR VALUES FROM (1) TO (10);
CREATE TABLE events_us PARTITION OF events FOR VALUES IN ('us');
SELECT wal2kafka.set_route('events', topic => 'events', key => '{id}');
SELECT * FROM mine WHERE relation::text LIKE 'events%'
ORDER BY relation::text COLLATE "C";
SELECT wal2kafka.set_route('events_eu', key => '{region}');
SELECT * FROM mine WHERE relation::text LIKE 'events%'
ORDER BY relation::text COLLATE "C";
SELECT wal2kafka.set_route('events_eu_1', topic => 'eu.1');
SELECT * FROM mine WHERE relation::text LIKE 'events%'
ORDER BY relation::text COLLATE "C";
-- each leaf must carry the key
SELECT wal2kafka.set_route('events', key => '{n}');
ALTER TABLE events REPLICA IDENTITY FULL;
SELECT wal2kafka.set_route('events', key => '{n}');
ALTER TABLE events_eu_1 REPLICA IDENTITY FULL;
ALTER TABLE events_us REPLICA IDENTITY FULL;
SELECT wal2kafka.set_route('events', key => '{n}');
SELECT wal2kafka.reset_route('events_eu_1');
ALTER TABLE events DETACH PARTITION events_eu;
SELECT * FROM mine WHERE relation::text LIKE 'events%'
ORDER BY relation::text COLLATE "C";

-- by whom, and when
CREATE ROLE regress_wal2kafka_user;
GRANT USAGE ON SCHEMA routes TO regress_wal2kafka_user;
SET ROLE regress_wal2kafka_user;
SELECT wal2kafka.set_route('orders', topic => 'stolen');
SELECT wal2kafka.reset_route('orders');
SELECT wal2kafka.reset_route('pg_class');
SELECT count(*) > 0 AS readable FROM wal2kafka.routes;
RESET ROLE;
ALTER TABLE orders OWNER TO regress_wal2kafka_user;
SET ROLE regress_wal2kafka_user;
SELECT wal2kafka.set_route('orders', topic => 'owned');
RESET ROLE;
BEGIN READ ONLY;
SELECT wal2kafka.set_route('orders', topic => 'later');
ROLLBACK;
BEGIN READ ONLY;
SELECT wal2kafka.reset_route('orders');
ROLLBACK;
BEGIN;
SELECT wal2kafka.set_route('orders', topic => 'undone', key => '{id}');
SELECT * FROM mine WHERE relation = 'orders'::regclass;
ROLLBACK;
SELECT * FROM mine WHERE relation = 'orders'::regclass;

-- two columns that claim one place: set by hand, shown in the table's order
SECURITY LABEL FOR wal2kafka ON COLUMN orders."Tenant" IS 'key=1';
SECURITY LABEL FOR wal2kafka ON COLUMN orders.id IS 'key=1';
SELECT * FROM mine WHERE relation = 'orders'::regclass;

-- a label that only a change of the catalog by hand can leave
UPDATE pg_seclabel SET label = 'nonsense'
WHERE provider = 'wal2kafka' AND objoid = 'orders'::regclass AND objsubid = 0;
SELECT * FROM wal2kafka.label_route('orders');
SELECT wal2kafka.reset_route('orders');

SET client_min_messages = warning;
DROP SCHEMA routes CASCADE;
DROP OWNED BY regress_wal2kafka_user;
DROP ROLE regress_wal2kafka_user;
DROP EXTENSION wal2kafka;
