-- What a security label of provider wal2kafka may say, on what, and by whom
CREATE EXTENSION wal2kafka;
CREATE SCHEMA labels;
SET search_path = labels;

CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL);
CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (1) TO (100);
CREATE VIEW orders_view AS SELECT * FROM orders;
CREATE MATERIALIZED VIEW orders_copy AS SELECT * FROM orders;
CREATE SEQUENCE numbers;

-- right
SECURITY LABEL FOR wal2kafka ON TABLE orders IS 'topic=shop.Orders_1-x';
SECURITY LABEL FOR wal2kafka ON COLUMN orders.id IS 'key=2';
SECURITY LABEL FOR wal2kafka ON COLUMN orders.customer_id IS 'key=1';
SECURITY LABEL FOR wal2kafka ON TABLE parts IS 'topic=parts';
SECURITY LABEL FOR wal2kafka ON COLUMN parts_1.id IS 'key=1600';
SELECT objtype, objname, label FROM pg_seclabels
WHERE provider = 'wal2kafka' ORDER BY objname COLLATE "C";
SECURITY LABEL FOR wal2kafka ON TABLE orders IS NULL;
SECURITY LABEL FOR wal2kafka ON COLUMN orders.id IS NULL;
SECURITY LABEL FOR wal2kafka ON COLUMN orders.id IS NULL;

-- nonsense on a table
SECURITY LABEL FOR wal2kafka ON TABLE orders IS '';
SECURITY LABEL FOR wal2kafka ON TABLE orders IS 'orders';
SECURITY LABEL FOR wal2kafka ON TABLE orders IS 'topic=';
SECURITY LABEL FOR wal2kafka ON TABLE orders IS 'topic=..';
SECURITY LABEL FOR wal2kafka ON TABLE orders IS 'topic = orders';
SECURITY LABEL FOR wal2kafka ON TABLE orders IS 'topic=orders ';
SECURITY LABEL FOR wal2kafka ON TABLE orders IS E'topic=orders\nkey=1';
SECURITY LABEL FOR wal2kafka ON TABLE orders IS 'topic=größe';
SECURITY LABEL FOR wal2kafka ON TABLE orders IS 'TOPIC=orders';
SECURITY LABEL FOR wal2kafka ON TABLE orders IS 'key=1';
-- the longest name, and one byte more
SELECT format('SECURITY LABEL FOR wal2kafka ON TABLE orders IS %L',
	'topic=' || repeat('x', 249)) AS longest \gexec
DO $$
BEGIN
	EXECUTE format('SECURITY LABEL FOR wal2kafka ON TABLE orders IS %L',
		'topic=' || repeat('x', 250));
EXCEPTION WHEN invalid_parameter_value THEN
	RAISE NOTICE '%', left(SQLERRM, 60);
END $$;
DO $$
BEGIN
	EXECUTE format('SECURITY LABEL FOR wal2kafka ON TABLE orders IS %L',
		'topic=' || repeat('x', 2000000));
EXCEPTION WHEN invalid_parameter_value THEN
	RAISE NOTICE '%', SQLERRM;
END $$;

-- nonsense on a column
SECURITY LABEL FOR wal2kafka ON COLUMN orders.id IS 'topic=orders';
SECURITY LABEL FOR wal2kafka ON COLUMN orders.id IS 'key=';
SECURITY LABEL FOR wal2kafka ON COLUMN orders.id IS 'key=0';
SECURITY LABEL FOR wal2kafka ON COLUMN orders.id IS 'key=01';
SECURITY LABEL FOR wal2kafka ON COLUMN orders.id IS 'key=-1';
SECURITY LABEL FOR wal2kafka ON COLUMN orders.id IS 'key=1601';
SECURITY LABEL FOR wal2kafka ON COLUMN orders.id IS 'key=99999999999999999999';
SECURITY LABEL FOR wal2kafka ON COLUMN orders.id IS 'key=1x';

-- on anything else
SECURITY LABEL FOR wal2kafka ON SCHEMA labels IS 'topic=orders';
SECURITY LABEL FOR wal2kafka ON VIEW orders_view IS 'topic=orders';
SECURITY LABEL FOR wal2kafka ON COLUMN orders_view.id IS 'key=1';
SECURITY LABEL FOR wal2kafka ON MATERIALIZED VIEW orders_copy IS 'topic=orders';
SECURITY LABEL FOR wal2kafka ON SEQUENCE numbers IS 'topic=orders';
SECURITY LABEL FOR wal2kafka ON TABLE pg_catalog.pg_class IS 'topic=orders';
SECURITY LABEL FOR wal2kafka ON TABLE information_schema.sql_parts
	IS 'topic=orders';
SECURITY LABEL FOR wal2kafka ON ROLE pg_monitor IS 'topic=orders';

-- a table's owner needs nothing but the table, in a session of its own too
CREATE ROLE regress_wal2kafka_owner;
CREATE ROLE regress_wal2kafka_other;
GRANT ALL ON SCHEMA labels TO regress_wal2kafka_owner, regress_wal2kafka_other;
\c -
SET search_path = labels;
SET ROLE regress_wal2kafka_owner;
CREATE TABLE mine (id int PRIMARY KEY);
SECURITY LABEL FOR wal2kafka ON TABLE mine IS 'topic=mine';
SECURITY LABEL ON TABLE mine IS 'topic=mine2';
SECURITY LABEL FOR wal2kafka ON TABLE orders IS 'topic=stolen';
SET ROLE regress_wal2kafka_other;
SECURITY LABEL FOR wal2kafka ON TABLE mine IS NULL;
RESET ROLE;

-- labels follow what they are on
ALTER TABLE orders RENAME customer_id TO client_id;
ALTER TABLE orders RENAME TO bills;
SELECT objtype, objname, left(label, 20) AS label FROM pg_seclabels
WHERE provider = 'wal2kafka' ORDER BY objname COLLATE "C";
DROP VIEW orders_view;
DROP MATERIALIZED VIEW orders_copy;
ALTER TABLE bills DROP COLUMN client_id;
CREATE TABLE bills_like (LIKE bills INCLUDING ALL);
DROP TABLE mine;
SELECT objtype, objname, left(label, 20) AS label FROM pg_seclabels
WHERE provider = 'wal2kafka' ORDER BY objname COLLATE "C";

-- the extension stays while there are labels
DROP EXTENSION wal2kafka;
DROP EXTENSION IF EXISTS wal2kafka, plpgsql CASCADE;
SELECT wal2kafka.reset_route(oid) FROM (
	SELECT DISTINCT objoid FROM pg_seclabel WHERE provider = 'wal2kafka'
) AS labelled(oid);
SELECT count(*) FROM pg_seclabels WHERE provider = 'wal2kafka';
DROP EXTENSION wal2kafka;
DROP EXTENSION IF EXISTS wal2kafka;

SET client_min_messages = warning;
DROP SCHEMA labels CASCADE;
DROP ROLE regress_wal2kafka_owner;
DROP ROLE regress_wal2kafka_other;
