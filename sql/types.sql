--
-- Every type that a column can have, its array, a domain and a composite of
-- it: the text in the record reads back as the value in the table, bit by bit.
-- The types come from pg_type, so one that is new and has no sample is named.
--
SET synchronous_commit = on;
SET client_min_messages = warning;
-- contrib where it is installed: C types, sizes fixed and variable
DO $$
DECLARE
	e text;
BEGIN
	FOREACH e IN ARRAY ARRAY['citext', 'cube', 'hstore', 'intarray', 'isn', 'ltree', 'seg']
	LOOP
		IF EXISTS (SELECT FROM pg_available_extensions WHERE name = e) THEN
			EXECUTE 'CREATE EXTENSION ' || e;
		END IF;
	END LOOP;
END $$;
-- a type of a user, in LANGUAGE internal
CREATE TYPE usertype;
CREATE FUNCTION usertype_in(cstring) RETURNS usertype LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION usertype_out(usertype) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE usertype (INPUT = usertype_in, OUTPUT = usertype_out, STORAGE = extended);
CREATE TYPE userint;
CREATE FUNCTION userint_in(cstring) RETURNS userint LANGUAGE internal IMMUTABLE STRICT AS 'int8in';
CREATE FUNCTION userint_out(userint) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int8out';
CREATE TYPE userint (INPUT = userint_in, OUTPUT = userint_out, LIKE = int8);
CREATE TYPE mood AS ENUM ('so', 'so,so', 'not "so"', '{\}', '');
CREATE ROLE regress_wal2kafka_grantee;
CREATE SCHEMA "Sch.""ema";
CREATE TABLE "Sch.""ema"."Tab le" ();
CREATE TABLE plain ();
CREATE TABLE sample (type text, value text);
INSERT INTO sample SELECT type, unnest(vals) FROM (VALUES
	('aclitem', ARRAY['regress_wal2kafka_grantee=arwd/regress_wal2kafka_grantee', '=U*C/regress_wal2kafka_grantee']),
	('"bit"', ARRAY['1', '0', '', '0101010101']),
	('bool', ARRAY['t', 'f']),
	('box', ARRAY['(2,2),(0,0)', '(Infinity,1e300),(-0,NaN)', '(0.1,0.2),(-0.3,1e-300)']),
	('bpchar', ARRAY['x', '  padded  ', '', E'\\ " '' \t\n']),
	('bytea', ARRAY['\x', '\x00', '\x5c22270aff00', '\xdeadbeef']),
	('"char"', ARRAY['c', '', '\', '"']),
	('cid', ARRAY['0', '4294967295']),
	('cidr', ARRAY['10.0.0.0/8', '0.0.0.0/0', '2001:db8::/32', '::/0', '::ffff:1.2.3.4/128']),
	('circle', ARRAY['<(0,0),1>', '<(1e-300,-0),Infinity>', '<(0.1,0.2),0.3>']),
	('date', ARRAY['2026-01-02', 'infinity', '-infinity', '4714-11-24 BC', '5874897-12-31', '0001-12-31 BC', '0001-01-01']),
	('float4', ARRAY['0', '-0', '1e-45', '1.17549435e-38', '3.4028235e38', 'NaN', 'inf', '-inf', '0.1', '16777217', '1e10', '0.00001', '8388609.5']),
	('float8', ARRAY['0', '-0', '5e-324', '2.2250738585072014e-308', '2.225073858507201e-308', '1.7976931348623157e308', 'NaN', 'inf', '-inf', '0.1', '0.30000000000000004', '9007199254740993', '1e23', '1e-7', '-123456789012345678']),
	('inet', ARRAY['1.2.3.4', '1.2.3.4/24', '::1', 'fe80::1/64', '::ffff:1.2.3.4', '255.255.255.255/0']),
	('int2', ARRAY['-32768', '32767', '0']),
	('int2vector', ARRAY['', '1 -2 3']),
	('int4', ARRAY['-2147483648', '2147483647', '0', '-1']),
	('int8', ARRAY['-9223372036854775808', '9223372036854775807', '0', '10', '-99']),
	('interval', ARRAY['0', '1 year -2 mons 3 days -04:05:06.000007', '-1 year 2 mons -3 days 4 hours', '-00:00:00.000001', '178956970 years 7 mons',
		'-178956970 years', '2147483647 days', '-2147483648 days', '2562047788:00:54.775807', '-2562047788:00:54.775807', '1 day', '-1 day', '12:34:56.7']),
	('json', ARRAY['{"a" :1e400,  "a":2}', '"\u00e9\ud83d\ude00\n\"\\\/"', ' [ ] ', 'null', '-0.0', '1E+5', '{"":{"":[]}}', '"\u0000"']),
	('jsonb', ARRAY['{"a":1e400,"bb":1,"a":2}', '"\u00e9\ud83d\ude00\n\"\\\/"', '[]', '{}', 'null', '-0.0', '1.10', '[1e-400, "x", {"b": [true, null]}]', '{"":{"":[]}}']),
	('jsonpath', ARRAY['$', 'strict $."a b"[*] ? (@ > 1.10 && @.b like_regex "^\\d" flag "i")', 'lax $.**{2 to last}."\"\\"', '$[0 to $x].datetime()']),
	('line', ARRAY['{1,2,3}', '{-1,0,1e-300}', '{0.1,0.2,-0}']),
	('lseg', ARRAY['[(1,2),(3,4)]', '[(-0,Infinity),(NaN,1e300)]']),
	('macaddr', ARRAY['08:00:2b:01:02:03', 'ff:ff:ff:ff:ff:ff']),
	('macaddr8', ARRAY['08:00:2b:01:02:03:04:05', 'ff:ff:ff:ff:ff:ff:ff:ff']),
	('money', ARRAY['0', '-92233720368547758.08', '92233720368547758.07', '-1.50', '1234567.89']),
	('name', ARRAY['', repeat('n', 63), 'é"\']),
	('numeric', ARRAY['0', 'NaN', 'Infinity', '-Infinity', '1.10', '-0.00', '1e-16383', '12345678901234567890.12345678901234567890', '1e131071',
		repeat('9', 100000), '-' || repeat('7', 83617) || '.' || repeat('3', 16383)]),
	('oid', ARRAY['0', '4294967295']),
	('oid8', ARRAY['0', '18446744073709551615']),
	('oidvector', ARRAY['', '1 4294967295']),
	('path', ARRAY['[(0,0),(1,1)]', '((0.1,-0),(1e300,1e-300),(NaN,-Infinity))', '[(1,2)]']),
	('pg_lsn', ARRAY['0/0', 'FFFFFFFF/FFFFFFFF', '16/B374D848']),
	('pg_snapshot', ARRAY['1:1:', '10:20:10,14,15', '1:9223372036854775807:2']),
	('point', ARRAY['(0,0)', '(-0,NaN)', '(Infinity,5e-324)', '(0.1,0.30000000000000004)']),
	('polygon', ARRAY['((0,0),(1,1),(2,0))', '((0.1,-0),(1e300,1e-300))']),
	('refcursor', ARRAY['', 'cur "sor"']),
	('regclass', ARRAY['-', 'pg_class', 'plain', '"Sch.""ema"."Tab le"', 'information_schema.tables']),
	('regcollation', ARRAY['-', '"C"', '"default"']),
	('regconfig', ARRAY['simple', '-']),
	('regdatabase', ARRAY['template1', '-']),
	('regdictionary', ARRAY['simple', '-']),
	('regnamespace', ARRAY['pg_catalog', '"Sch.""ema"', '-']),
	('regoper', ARRAY['0']),
	('regoperator', ARRAY['+(integer,integer)', '-(NONE,bigint)', '0']),
	('regproc', ARRAY['textin', '-', 'changes']),
	('regprocedure', ARRAY['abs(double precision)', 'changes(text[])', '-']),
	('regrole', ARRAY['regress_wal2kafka_grantee', '-']),
	('regtype', ARRAY['integer', 'mood[]', '"Sch.""ema"."Tab le"', 'timestamp with time zone', '"char"', '-']),
	('text', ARRAY['', 'NULL', E'\b\f\n\r\t\x01\x1f\x7f"\\/<>&''', E'\u00e9\u2028\uffff\U0001F600\U0010ffff', repeat('"\', 5000), E'\u00a0 ']),
	('tid', ARRAY['(0,1)', '(4294967295,65535)']),
	('time', ARRAY['00:00:00', '24:00:00', '23:59:59.999999', '01:02:03.4']),
	('timestamp', ARRAY['infinity', '-infinity', '294276-12-31 23:59:59.999999', '4714-11-24 00:00:00 BC', '0001-01-01 00:00:00', '2026-03-29 02:30:00.1', '1969-12-31 23:59:59.999999']),
	('timestamptz', ARRAY['infinity', '-infinity', '294276-12-31 23:59:59.999999+00', '4714-11-24 00:00:00+00 BC', '1883-11-18 12:03:58-04:56:02', '2026-03-29 02:30:00.1+01', '0001-01-01 00:00:00+00']),
	('timetz', ARRAY['00:00:00+15:59:59', '24:00:00-15:59:59', '23:59:59.999999+00', '04:05:06.789-08:30']),
	('tsquery', ARRAY['', 'a & !b', '''it''''s'' <2> c:*AB | (d & e)', '''\\ ":'':*']),
	('tsvector', ARRAY['', 'a:1A,2B,16383C b', '''it''''s'' ''\\'':1 '' '':3 "q"']),
	('txid_snapshot', ARRAY['1:1:', '10:20:10,14,15']),
	('uuid', ARRAY['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11']),
	('varbit', ARRAY['', '1', '010101010111100001']),
	('varchar', ARRAY['', 'v', ' x ', E'\\x41']),
	('xid', ARRAY['0', '4294967295']),
	('xid8', ARRAY['0', '18446744073709551615']),
	('xml', ARRAY['<a b="c">&lt;&#xe9;é</a>', '', 'text <!-- - --> ', '<?xml version="1.0" standalone="yes"?><a/>', E'<a>\n<![CDATA[<"\\>]]></a>']),
	-- of the user, and of contrib
	('usertype', ARRAY['', 'any "text" \ {,}', repeat('long ', 1000)]),
	('userint', ARRAY['-9223372036854775808', '7']),
	('mood', ARRAY['so', 'so,so', 'not "so"', '{\}', '']),
	('citext', ARRAY['', 'MiXed "\']),
	('cube', ARRAY['(1,2,3)', '(0.1,-0),(1e300,5e-324)', '()', '(NaN,Infinity)']),
	('seg', ARRAY['1.5', '1.5 .. 2.50', '~6.0', '<1e10', '5 ..', '.. -0.1', '1.0(+-)0.2']),
	('hstore', ARRAY['', 'a=>1, b=>NULL, "c d"=>"\"\\", ""=>""', '"é"=>"=>,"']),
	('query_int', ARRAY['1&(2|!3)']),
	('ltree', ARRAY['', 'Top.Countries.Europe_1', 'a.b.c']),
	('lquery', ARRAY['Top.*{1,2}.!a*@|b%.c', '*']),
	('ltxtquery', ARRAY['Europe & Russia*@ & !Transportation', 'a']),
	('ean13', ARRAY['978-0-393-04002-9', '978-0-393-04002-9!']),
	('isbn13', ARRAY['978-0-393-04002-9']), ('isbn', ARRAY['0-393-04002-X']),
	('ismn13', ARRAY['979-0-060-11561-5']), ('ismn', ARRAY['M-060-11561-5']),
	('issn13', ARRAY['977-1436-452-00-8']), ('issn', ARRAY['1436-4522']),
	('upc', ARRAY['220356483481'])) AS s (type, vals);
INSERT INTO sample SELECT 'interval', sign || 'infinity' FROM (VALUES (''), ('-')) AS s (sign)
	WHERE current_setting('server_version_num')::int >= 170000;
-- floats of every size, shortest text or not
SELECT setseed(0.4);
INSERT INTO sample SELECT 'float8', (random() * 10.0 ^ ((random() * 600)::int - 300))::text FROM generate_series(1, 300);
INSERT INTO sample SELECT 'float4', (random() * 10.0 ^ ((random() * 70)::int - 35))::float4::text FROM generate_series(1, 300);
INSERT INTO sample SELECT 'numeric', (random() * 10.0 ^ (i % 20))::numeric * (10::numeric ^ (i % 50 - 25)) FROM generate_series(1, 100) i;
INSERT INTO sample SELECT type, NULL FROM sample GROUP BY type;
-- types without an input, whose values come from the catalog
CREATE TABLE opaque (id int PRIMARY KEY, node pg_node_tree, nd pg_ndistinct, dep pg_dependencies, mcv pg_mcv_list);
-- types of which nothing can be stored: an index keeps them to itself
CREATE TABLE unstorable (type text);
INSERT INTO unstorable VALUES ('gtsvector'), ('pg_brin_bloom_summary'), ('pg_brin_minmax_multi_summary'), ('ghstore'), ('intbig_gkey'), ('ltree_gist');
-- one table for each base type, by its OID
CREATE VIEW base AS SELECT oid, format_type(oid, NULL) AS type FROM pg_type t
	WHERE typtype IN ('b', 'e') AND typisdefined AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid);
CREATE SCHEMA every;
CREATE TABLE every.kind (type regtype PRIMARY KEY, tab text, samples int);
INSERT INTO every.kind SELECT b.oid, 't_' || row_number() OVER (ORDER BY b.type COLLATE "C"), count(*)
	FROM base b JOIN sample s ON to_regtype(s.type) = b.oid GROUP BY b.oid, b.type;
-- without a sample (nothing should be)
SELECT type FROM base WHERE oid NOT IN (SELECT type FROM every.kind)
	AND type NOT IN (SELECT type FROM unstorable)
	AND oid NOT IN (SELECT atttypid FROM pg_attribute WHERE attrelid = 'opaque'::regclass) ORDER BY 1;
SELECT count(*) > 0 FROM changes();
-- a row's text, for a cast by the input functions: some types have another cast from text
CREATE FUNCTION literal(VARIADIC vals text[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT '(' || string_agg(coalesce('"' || replace(replace(v, '\', '\\'), '"', '""') || '"', ''), ',' ORDER BY n) || ')'
	FROM unnest(vals) WITH ORDINALITY AS u (v, n)
$$;
DO $$
DECLARE
	k record;
BEGIN
	FOR k IN SELECT *, format_type(type, -1) AS name FROM every.kind
	LOOP
		EXECUTE format('CREATE DOMAIN every.d_%1$s AS %2$s', k.tab, k.name);
		EXECUTE format('CREATE DOMAIN every.e_%1$s AS every.d_%1$s[]', k.tab);
		EXECUTE format('CREATE TYPE every.c_%1$s AS (x %2$s, "Y y" every.e_%1$s)', k.tab, k.name);
		EXECUTE format('CREATE TABLE every.%1$s (id int PRIMARY KEY, v %2$s, a %2$s[], d every.d_%1$s,
			e every.e_%1$s, c every.c_%1$s, ca every.c_%1$s[])', k.tab, k.name);
		BEGIN
			EXECUTE format('INSERT INTO every.%1$s SELECT id, v, array_fill(v, ARRAY[2, 1]), v, array_fill(v::every.d_%1$s, ARRAY[2]),
				ROW(v, array_fill(v::every.d_%1$s, ARRAY[1]))::every.c_%1$s,
				ARRAY[ROW(v, NULL), NULL, ROW(NULL, ''{}'')]::every.c_%1$s[]
				FROM (SELECT row_number() OVER () AS id, (literal(value, NULL)::every.c_%1$s).x AS v
					FROM sample WHERE to_regtype(type) = %3$s) s',
				k.tab, k.name, k.type::oid);
		EXCEPTION WHEN feature_not_supported THEN
			DELETE FROM every.kind WHERE type = k.type;	-- a server built without libxml
		END;
	END LOOP;
END $$;
CREATE STATISTICS opaque_stats (ndistinct, dependencies, mcv) ON type, value FROM sample;
ANALYZE sample;
INSERT INTO opaque SELECT 1, conbin FROM pg_constraint WHERE conbin IS NOT NULL LIMIT 1;
INSERT INTO opaque SELECT 2, ev_action FROM pg_rewrite ORDER BY length(ev_action) DESC LIMIT 1;
INSERT INTO opaque (id, nd, dep, mcv) SELECT 3, stxdndistinct, stxddependencies, stxdmcv FROM pg_statistic_ext_data LIMIT 1;
-- read in a session that would write them otherwise
SET DateStyle = 'SQL, DMY';
SET IntervalStyle = 'sql_standard';
SET TimeZone = 'America/St_Johns';
SET bytea_output = 'escape';
SET extra_float_digits = -15;
SET quote_all_identifiers = on;
CREATE TEMP TABLE rec AS SELECT data::json ->> 'table_name' AS tab, data::json #> '{op,Insert}' AS r,
		substring(data FROM '"op":.*$') AS bytes
	FROM pg_logical_slot_get_changes('regress', NULL, NULL, 'fields', 'none');
-- rows of a snapshot: the same bytes
CREATE EXTENSION wal2kafka;
CREATE TEMP TABLE snapshot AS SELECT s.value::json ->> 'table_name' AS tab, substring(s.value FROM '"op":.*$') AS bytes
	FROM (SELECT 'every.' || tab FROM every.kind UNION ALL VALUES ('opaque')) t (name),
		wal2kafka.snapshot(name, NULL, 'fields', 'none') s;
RESET DateStyle;
RESET IntervalStyle;
RESET TimeZone;
RESET bytea_output;
RESET extra_float_digits;
RESET quote_all_identifiers;
SELECT count(*) FROM (SELECT tab, bytes FROM rec WHERE tab <> 'kind' EXCEPT ALL SELECT * FROM snapshot) s;
SELECT count(*) FROM (SELECT * FROM snapshot EXCEPT ALL SELECT tab, bytes FROM rec) s;
SELECT (SELECT count(*) FROM snapshot) = count(*) AND count(*) > 1000 AS as_many FROM rec WHERE tab <> 'kind';
DROP TABLE snapshot;
DROP EXTENSION wal2kafka;
CREATE INDEX ON rec (tab);
-- records that do not read back as the row they are of (none), and how many do
CREATE FUNCTION differing(OUT type regtype, OUT same bigint, OUT other bigint, OUT example text)
RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
	k record;
BEGIN
	FOR k IN SELECT * FROM every.kind
	LOOP
		type := k.type;
		EXECUTE format('SELECT count(*) FILTER (WHERE equal), count(*) FILTER (WHERE NOT equal), left(min(r::text) FILTER (WHERE NOT equal), 200)
			FROM (SELECT r, literal(VARIADIC ARRAY(SELECT json_array_elements_text(r)))::every.%1$s *= t AS equal
				FROM every.%1$s t JOIN rec ON tab = %1$L AND (r ->> 0)::int = t.id) s', k.tab)
			INTO same, other, example;
		IF other > 0 OR same <> k.samples THEN
			RETURN NEXT;
		END IF;
	END LOOP;
END $$;
SELECT * FROM differing();
SELECT count(*) FROM opaque o JOIN rec ON tab = 'opaque' AND (r ->> 0)::int = id
	WHERE ((r ->> 1), (r ->> 2), (r ->> 3), (r ->> 4)) IS NOT DISTINCT FROM (node::text, nd::text, dep::text, mcv::text);
-- the comparison itself: a sign, a digit, a blank
UPDATE rec SET r = replace(r::text, '"-0"', '"0"')::json WHERE tab = (SELECT k.tab FROM every.kind k WHERE type = 'float8'::regtype) AND r ->> 1 = '-0';
UPDATE rec SET r = replace(r::text, '"1.10"', '"1.1"')::json WHERE tab = (SELECT k.tab FROM every.kind k WHERE type = 'numeric'::regtype) AND r ->> 1 = '1.10';
UPDATE rec SET r = replace(r::text, '" [ ] "', '"[]"')::json WHERE tab = (SELECT k.tab FROM every.kind k WHERE type = 'json'::regtype) AND r ->> 1 = ' [ ] ';
SELECT type, same < (SELECT count(*) FROM sample s WHERE to_regtype(s.type) = d.type) AS fewer, other FROM differing() d ORDER BY 1;
DROP TABLE rec, opaque, unstorable, plain;
DROP VIEW base;
DROP TABLE sample;
DROP SCHEMA every CASCADE;
DROP FUNCTION differing, literal;
SELECT count(*) FROM changes();
--
-- Names are the ones of that point of the write-ahead log: labels of enums,
-- attributes of composites, and what an OID stands for.
--
CREATE TYPE pair AS (a int, m mood, gone text);
CREATE DOMAIN pairs AS pair[] CHECK (cardinality(VALUE) < 9);
CREATE DOMAIN nested AS pairs NOT NULL;
CREATE TYPE span AS RANGE (SUBTYPE = mood);
CREATE TABLE named (id int PRIMARY KEY, m mood, ma mood[], p pair, n nested, s span, sm span_multirange);
INSERT INTO named VALUES (1, 'so', '{so,"so,so"}', ROW(1, 'so', 'g'), ARRAY[ROW(1, 'so', 'g')::pair],
	'[so,"so,so"]', '{[so,so],["{\\}",]}');
ALTER TYPE mood RENAME VALUE 'so' TO 'so "so"';
ALTER TYPE mood ADD VALUE 'later' BEFORE 'so "so"';
UPDATE named SET id = 2;
INSERT INTO named VALUES (3, 'later', '{later}', NULL, '{}', 'empty', '{(,)}');
BEGIN;
UPDATE named SET m = 'not "so"' WHERE id = 2;
ALTER TYPE mood RENAME VALUE 'not "so"' TO 'gladly';
UPDATE named SET m = m WHERE id = 2;
SAVEPOINT s;
ALTER TYPE mood RENAME VALUE 'gladly' TO 'never seen';
UPDATE named SET ma = ARRAY[m] WHERE id = 2;
ROLLBACK TO s;
UPDATE named SET ma = ARRAY[m, NULL] WHERE id = 2;
COMMIT;
ALTER TABLE named DROP COLUMN n;
DROP DOMAIN pairs CASCADE;
ALTER TYPE pair DROP ATTRIBUTE gone CASCADE;
UPDATE named SET id = 4 WHERE id = 2;
ALTER TYPE pair ADD ATTRIBUTE late numeric CASCADE;
UPDATE named SET p.late = 1.50 WHERE id = 4;
ALTER TYPE pair RENAME ATTRIBUTE a TO b CASCADE;
UPDATE named SET id = 5 WHERE id = 4;
DROP TABLE named;
DROP TYPE pair, span, mood;
SELECT changes();
-- a row type: what is dropped of it is not in its text
CREATE TABLE parent (a int, b text, c int);
CREATE TABLE child (id int PRIMARY KEY, p parent, pa parent[]);
INSERT INTO child VALUES (1, ROW(1, 'b', 2), ARRAY[ROW(3, 'd', 4)::parent]);
ALTER TABLE parent DROP COLUMN b;
UPDATE child SET id = 2;
ALTER TABLE parent ADD COLUMN d text;
INSERT INTO child VALUES (3, ROW(1, 2, '"d, \'), '{}');
DROP TABLE child, parent;
SELECT changes();
-- objects that are renamed, moved and dropped before anybody reads
CREATE SCHEMA here;
CREATE TABLE here.obj (id int);
CREATE FUNCTION here.fun(here.obj) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE OPERATOR here.### (FUNCTION = here.fun, RIGHTARG = here.obj);
CREATE COLLATION here.col (LOCALE = 'C');
CREATE TEXT SEARCH DICTIONARY here.dict (TEMPLATE = simple);
CREATE TEXT SEARCH CONFIGURATION here.conf (COPY = simple);
CREATE TABLE oids (id int PRIMARY KEY, c regclass, t regtype, f regproc, p regprocedure, o regoper,
	o2 regoperator, n regnamespace, r regrole, l regcollation, tc regconfig, td regdictionary, a aclitem);
INSERT INTO oids VALUES (1, 'here.obj', 'here.obj[]', 'here.fun', 'here.fun(here.obj)', 'here.###',
	'here.###(NONE,here.obj)', 'here', 'regress_wal2kafka_grantee', 'here.col', 'here.conf', 'here.dict',
	'regress_wal2kafka_grantee=r/regress_wal2kafka_grantee');
ALTER TABLE here.obj RENAME TO "Obj";
ALTER SCHEMA here RENAME TO there;
ALTER ROLE regress_wal2kafka_grantee RENAME TO regress_wal2kafka_renamed;
UPDATE oids SET id = 2;
BEGIN;
ALTER TABLE there."Obj" SET SCHEMA public;
ALTER FUNCTION there.fun RENAME TO fun2;
UPDATE oids SET id = 3;
ROLLBACK;
UPDATE oids SET id = 4;
DROP SCHEMA there CASCADE;
DROP ROLE regress_wal2kafka_renamed;
UPDATE oids SET id = 5;
DROP TABLE oids;
-- what is no more is a number
SELECT regexp_replace(changes(), '"\d{5,}(=r/\d+)?"', '"OID"', 'g');
-- a NUL byte, which no input makes: the text ends there, in values and keys
CREATE CAST (bytea AS text) WITHOUT FUNCTION;
CREATE TABLE nul (id text PRIMARY KEY, t text, packed text COMPRESSION pglz);
INSERT INTO nul VALUES ('\x610062'::bytea::text, '\x00'::bytea::text,
	(decode(repeat('61', 5000), 'hex') || '\x0062')::bytea::text);
DELETE FROM nul;
SELECT replace(changes(), repeat('a', 5000), 'AAA');
DROP TABLE nul;
DROP CAST (bytea AS text);
-- compressed and large, in any type that can be
CREATE CAST (text AS usertype) WITH INOUT;
CREATE TABLE packed (id int PRIMARY KEY, t text COMPRESSION pglz, j jsonb, a int[], b bytea, n numeric, u usertype);
INSERT INTO packed VALUES (1, repeat('pack', 5000), jsonb_build_object('k', repeat('json', 3000)),
	array_fill(7, ARRAY[5000]), decode(repeat('00ff', 9000), 'hex'), repeat('1234567', 5000)::numeric,
	repeat('u', 50000)::usertype);
SELECT (changes()::json #> '{op,Insert}')::jsonb = to_jsonb(ARRAY[id::text, t, j::text, a::text, b::text, n::text, u::text]) FROM packed;
DROP TABLE packed;
DROP TYPE usertype, userint CASCADE;
DROP SCHEMA "Sch.""ema" CASCADE;
DO $$
DECLARE
	e text;
BEGIN
	FOREACH e IN ARRAY ARRAY['citext', 'cube', 'hstore', 'intarray', 'isn', 'ltree', 'seg']
	LOOP
		EXECUTE 'DROP EXTENSION IF EXISTS ' || e || ' CASCADE';
	END LOOP;
END $$;
SELECT count(*) FROM changes();
