-- Routes while decoding: labels in WAL order, the option "routes" above them
CREATE EXTENSION wal2kafka;
CREATE SCHEMA routing;
SET search_path = routing;
SET synchronous_commit = on;
\set SHOW_CONTEXT never

CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL, note text);
ALTER TABLE orders REPLICA IDENTITY FULL;
SELECT 'made' FROM pg_create_logical_replication_slot('routing', 'wal2kafka');
-- where each record goes, and what it says
CREATE VIEW sent AS
SELECT topic, key, (value::json -> 'op')::text AS op
FROM wal2kafka.peek_changes('routing', 1000);
-- forgets what was sent
CREATE FUNCTION consume() RETURNS void LANGUAGE sql AS $$
	SELECT pg_replication_slot_advance('routing', pg_current_wal_lsn())
$$;

-- a change of the route applies from its own commit on, and in its own
-- transaction from the statement on
INSERT INTO orders VALUES (1, 10, 'default');
SELECT wal2kafka.set_route('orders', topic => 'orders', key => '{customer_id}');
INSERT INTO orders VALUES (2, 20, 'set');
BEGIN;
INSERT INTO orders VALUES (3, 30, 'still');
SELECT wal2kafka.set_route('orders', topic => 'orders.v2');
INSERT INTO orders VALUES (4, 40, 'v2');
SAVEPOINT a;
SELECT wal2kafka.set_route('orders', topic => 'orders.v3', key => '{note,id}');
INSERT INTO orders VALUES (5, 50, 'undone');
ROLLBACK TO a;
INSERT INTO orders VALUES (6, 60, 'v2');
SAVEPOINT b;
SELECT wal2kafka.set_route('orders', topic => 'orders.v4', key => '{note,id}');
INSERT INTO orders VALUES (7, 70, 'v4');
RELEASE b;
INSERT INTO orders VALUES (8, 80, 'v4');
COMMIT;
SECURITY LABEL FOR wal2kafka ON TABLE orders IS 'topic=by.hand';
INSERT INTO orders VALUES (9, 90, 'by hand');
ALTER TABLE orders RENAME note TO "Note";
INSERT INTO orders VALUES (10, 100, 'renamed');
BEGIN;
SELECT wal2kafka.reset_route('orders');
ROLLBACK;
INSERT INTO orders VALUES (11, 110, 'not reset');
SELECT wal2kafka.reset_route('orders');
INSERT INTO orders VALUES (12, 120, 'reset');
SELECT * FROM sent;
SELECT * FROM sent;
SELECT consume();

-- a statement that sets the route in its middle
SELECT wal2kafka.set_route('orders', topic => 'before');
CREATE FUNCTION reroute() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM wal2kafka.set_route('orders', topic => 'at.' || NEW.id);
	RETURN NEW;
END $$;
CREATE TRIGGER reroute BEFORE INSERT ON orders
	FOR EACH ROW EXECUTE FUNCTION reroute();
INSERT INTO orders VALUES (21, 1), (22, 2);
DROP TRIGGER reroute ON orders;
INSERT INTO orders VALUES (23, 3);
SELECT topic, key FROM sent;
SELECT wal2kafka.reset_route('orders');
SELECT consume();

-- a key that changes moves the row
SELECT wal2kafka.set_route('orders', key => '{customer_id}');
INSERT INTO orders VALUES (31, 1, 'x');
UPDATE orders SET "Note" = 'y' WHERE id = 31;
UPDATE orders SET customer_id = 2 WHERE id = 31;
DELETE FROM orders WHERE id = 31;
SELECT * FROM sent;
SELECT consume();

-- dropped and made again: no route; a table dropped later is still known
DROP TABLE orders;
CREATE TABLE orders (id int PRIMARY KEY, customer_id int);
INSERT INTO orders VALUES (1, 1);
CREATE TABLE brief (id int PRIMARY KEY);
SELECT wal2kafka.set_route('brief', topic => 'brief.topic');
INSERT INTO brief VALUES (1);
DROP TABLE brief;
SELECT topic, key FROM sent;
SELECT consume();

-- the identity shrinks under a route's key: decoding halts and says so; only
-- inserts would have their key
ALTER TABLE orders REPLICA IDENTITY FULL;
SELECT wal2kafka.set_route('orders', topic => 'orders', key => '{customer_id}');
ALTER TABLE orders REPLICA IDENTITY DEFAULT;
INSERT INTO orders VALUES (2, 2);
SELECT * FROM sent;
-- the way out: a route of the reader's own
SELECT topic, key FROM wal2kafka.peek_changes('routing', 10,
	'routes', 'routing.orders key=id');
SELECT consume();
SELECT wal2kafka.reset_route('orders');

-- partitions
CREATE TABLE events (region text NOT NULL, id int, n int,
	PRIMARY KEY (region, id)) PARTITION BY LIST (region);
CREATE TABLE events_eu (n int, id int NOT NULL, region text NOT NULL)
	PARTITION BY RANGE (id);
CREATE TABLE events_eu_1 (region text NOT NULL, gone int, n int,
	id int NOT NULL);
ALTER TABLE events_eu_1 DROP COLUMN gone;
ALTER TABLE events_eu ATTACH PARTITION events_eu_1 FOR VALUES FROM (1) TO (100);
ALTER TABLE events ATTACH PARTITION events_eu FOR VALUES IN ('eu');
CREATE TABLE events_us PARTITION OF events FOR VALUES IN ('us');
CREATE PUBLICATION routing_root FOR TABLE events
	WITH (publish_via_partition_root);
CREATE PUBLICATION routing_middle FOR TABLE events_eu
	WITH (publish_via_partition_root);
CREATE VIEW sent_via_root AS
SELECT topic, key, value::json ->> 'table_name' AS table_name
FROM wal2kafka.peek_changes('routing', 1000,
	'publication_names', 'routing_root');
CREATE VIEW sent_via_middle AS
SELECT topic, key, value::json ->> 'table_name' AS table_name
FROM wal2kafka.peek_changes('routing', 1000,
	'publication_names', 'routing_middle');
SELECT consume();
INSERT INTO events VALUES ('eu', 1, 0), ('us', 1, 0);
SELECT wal2kafka.set_route('events', topic => 'events', key => '{id}');
INSERT INTO events VALUES ('eu', 2, 0), ('us', 2, 0);
SELECT wal2kafka.set_route('events_eu', topic => 'events.eu', key => '{id,region}');
INSERT INTO events VALUES ('eu', 3, 0), ('us', 3, 0);
SELECT wal2kafka.set_route('events_eu_1', topic => 'events.eu.1');
INSERT INTO events VALUES ('eu', 4, 0), ('us', 4, 0);
SELECT wal2kafka.reset_route('events');
INSERT INTO events VALUES ('eu', 5, 0), ('us', 5, 0);
SELECT wal2kafka.reset_route('events_eu_1');
INSERT INTO events VALUES ('eu', 6, 0);
ALTER TABLE events_eu DETACH PARTITION events_eu_1;
INSERT INTO events_eu_1 VALUES ('eu', 0, 7);
SELECT topic, key FROM sent;
SELECT * FROM sent_via_root;
SELECT * FROM sent_via_middle;
SELECT consume();

-- the option wins, each part of it by itself
CREATE TABLE "Two; ""words""" ("a,b" int PRIMARY KEY, "C" int NOT NULL);
ALTER TABLE "Two; ""words""" REPLICA IDENTITY FULL;
SELECT wal2kafka.set_route('"Two; ""words"""', topic => 'label', key => '{C}');
INSERT INTO "Two; ""words""" VALUES (1, 2);
SELECT topic, key FROM wal2kafka.peek_changes('routing');
SELECT topic, key FROM wal2kafka.peek_changes('routing', 10,
	'routes', 'routing."Two; ""words""" topic=option');
SELECT topic, key FROM wal2kafka.peek_changes('routing', 10,
	'routes', '"routing"."Two; ""words"""   key="C","a,b" ; ;');
SELECT topic, key FROM wal2kafka.peek_changes('routing', 10, 'routes',
	';ROUTING.orders topic=o;"routing"."Two; ""words""" topic=both key="a,b"');
SELECT topic, key FROM wal2kafka.peek_changes('routing', 10, 'routes',
	'"ROUTING"."Two; ""words""" topic=other;routing.two topic=other2');
SELECT topic, key FROM wal2kafka.peek_changes('routing', 10, 'routes', '');

-- options that are none
CREATE FUNCTION try(routes text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	PERFORM * FROM wal2kafka.peek_changes('routing', 10, 'routes', routes);
	RETURN 'taken';
EXCEPTION WHEN invalid_parameter_value THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws(': ', sqlerrm, detail);
END $$;
SELECT routes, try(routes) FROM (VALUES
	('orders topic=x'),
	('a.b.c topic=x'),
	('routing.orders'),
	('routing.orders topic'),
	('routing.orders topic='),
	('routing.orders topic=a/b'),
	('routing.orders topic=a topic=b'),
	('routing.orders topic = a'),
	('routing.orders key='),
	('routing.orders key=id,'),
	('routing.orders key=id,id'),
	('routing.orders key=ID,"id"'),
	('routing.orders key=id key=id'),
	('routing.orders key="id'),
	('routing.orders key=i"d"'),
	('routing.orders key="i"d'),
	('routing.orders key=""'),
	('routing."" topic=a'),
	('routing. topic=a'),
	('.orders topic=a'),
	('topic=a'),
	('routing.orders topic=a;"routing"."orders" key=id'),
	('routing.orders topic=a;ROUTING.ORDERS topic=b'),
	('routing.orders topic=a color=red'),
	('routing.orders topic=a, key=id'),
	('routing.orders TOPIC=a'),
	('routing.orders topic=a key=id')
) AS t(routes);
SELECT topic FROM wal2kafka.peek_changes('routing', 10,
	'routes', 'routing."Two; ""words""" key=nope');

SELECT pg_drop_replication_slot('routing');
SET client_min_messages = warning;
DROP PUBLICATION routing_root, routing_middle;
DROP SCHEMA routing CASCADE;
DROP EXTENSION wal2kafka;
