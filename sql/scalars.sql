--
-- Values whose text the plugin makes without their output function: the same
-- bytes, for values of every length, at both ends of what is made so, beyond.
--
SET synchronous_commit = on;
SET DateStyle = 'ISO, YMD';
SET TimeZone = 'UTC';
SET extra_float_digits = 1;
SELECT setseed(0.25);
CREATE TABLE whole (id int PRIMARY KEY, b bool, s int2, i int4, l int8, o oid, u uuid);
INSERT INTO whole SELECT g, g % 2 = 0, sign * (32767 >> (g % 16)) - g % 2, sign * (2147483647 >> (g % 32)) - g % 2,
		sign * (9223372036854775807 >> (g % 64)) - g % 2, (4294967295 >> (g % 33))::oid, md5(g::text)::uuid
	FROM generate_series(1, 1000) g, LATERAL (SELECT CASE WHEN g % 3 = 0 THEN -1 ELSE 1 END AS sign) s;
CREATE TABLE fraction (id int PRIMARY KEY, f float4, d float8, n numeric, m numeric(20,4));
INSERT INTO fraction SELECT g, ((random() - 0.5) * 10.0 ^ (g % 70 - 35))::float4, (random() - 0.5) * 10.0 ^ (g % 600 - 300),
		trunc((random() - 0.5)::numeric * 10::numeric ^ (g % 90), g % 7), (random() - 0.5) * 10.0 ^ (g % 16)
	FROM generate_series(1, 2000) g;
-- every number of digits before and after the point, and where four of them end
INSERT INTO fraction SELECT 10000 + 100 * a + b, 0, 0,
		(CASE WHEN (a + b) % 2 = 0 THEN '-' ELSE '' END || left(repeat('1020300405', 30), a) || left('.' || repeat('0506007', 30), b))::numeric
	FROM generate_series(1, 70) a, generate_series(0, 68) b WHERE b <> 1;
INSERT INTO fraction SELECT 20000 + 300 * v + e, 0, 0, (ARRAY[1, 9999, 10000, 12345678, 100000000])[v]::numeric * 10::numeric ^ (e - 150)
	FROM generate_series(1, 5) v, generate_series(0, 299) e;
INSERT INTO fraction SELECT 30000 + e, 0, 0, ('0.' || repeat('0', e) || '1')::numeric FROM generate_series(0, 80) e;
INSERT INTO fraction SELECT 31000 + e, 0, 0, ('-1e' || e)::numeric FROM generate_series(0, 290) e;
INSERT INTO fraction SELECT 32000 + s, 0, 0, round(0::numeric, s) FROM generate_series(0, 70) s;
INSERT INTO fraction VALUES (33000, 'NaN', 'NaN', 'NaN'), (33001, 'inf', '-inf', 'inf'), (33002, '-0', '-0', '-inf'), (33003, '1e-45', '5e-324', NULL);
CREATE TABLE moment (id int PRIMARY KEY, d date, c time, t timestamp, z timestamptz);
-- a day of every few weeks from long before the first year to long after the last
INSERT INTO moment SELECT g, date '4713-01-01 BC' + g * 41, time '00:00' + g * interval '7.7 s',
		timestamp '0010-06-01 BC' + g * interval '20 weeks 1.1 s' - g % 5 * interval '1 us', timestamptz '1990-01-01' + g * interval '101 days 13:01:59.99' - g % 7 * interval '10 us'
	FROM generate_series(1, 45000) g;
INSERT INTO moment SELECT 50000 + n, (edge + n * interval '1 day')::date, (edge + n * interval '1 us')::time, edge + n * interval '1 us', (edge + n * interval '1 us') AT TIME ZONE 'UTC'
	FROM (VALUES (timestamp '0001-01-01', 0), ('10000-01-01', 100), ('2000-01-01', 200), ('1970-01-01', 300), ('1900-03-01', 400), ('2000-03-01', 500)) e (edge, base),
		LATERAL (SELECT base - 20 + k AS n FROM generate_series(0, 40) k) k;
INSERT INTO moment VALUES (60000, 'infinity', '24:00', 'infinity', 'infinity'), (60001, '-infinity', '23:59:59.999999', '-infinity', '-infinity'),
	(60002, '5874897-12-31', '00:00:00.000001', '294276-12-31 23:59:59.999999', '294276-12-31 23:59:59.999999'), (60003, NULL, NULL, NULL, NULL);
-- each special byte at each place of texts of each length, and beside another
CREATE TABLE letters (id int PRIMARY KEY, t text);
INSERT INTO letters SELECT row_number() OVER (), overlay(left(repeat('the quick brown fox. ', 10), l) PLACING c FROM p FOR 1)
	FROM generate_series(1, 40) l, generate_series(1, 40) p, unnest(ARRAY['"', '\', E'\x01', E'\n', E'\x1f', ' ', '!', '#', '[', ']', E'\x7f', 'é', '€', '😀', '"\']) c WHERE p <= l;
INSERT INTO letters SELECT 100000 + l, left(repeat('said "x" \ ', 30), l) FROM generate_series(0, 200) l;
INSERT INTO letters SELECT 101000 + l, left(repeat('Blåbær€😀ß"', 30), l) FROM generate_series(0, 200) l;
INSERT INTO letters SELECT 102000 + c, repeat(chr(c), n) FROM generate_series(1, 255) c, LATERAL (SELECT 1 + c % 30) n (n);
-- more labels than are kept, longer ones, and some that JSON escapes
DO $$ BEGIN EXECUTE format('CREATE TYPE label AS ENUM (%L, %s)', repeat('y', 63),
	(SELECT string_agg(quote_literal(left(g || repeat(' "x" é\', 12), g)), ', ') FROM generate_series(1, 50) g)); END $$;
CREATE TABLE labelled (id int PRIMARY KEY, a label, b label, c label);
INSERT INTO labelled SELECT g, l[1 + g % 51], l[40 + g % 3], CASE WHEN g % 2 = 0 THEN l[1 + g % 17] END
	FROM generate_series(1, 500) g, enum_range(NULL::label) l;
CREATE TABLE docs (id int PRIMARY KEY, j jsonb);
INSERT INTO docs SELECT g, jsonb_build_object('n', g * 1.25, 'k' || g % 7, repeat('v', g % 150), 'flag', g % 2 = 0, 'none', NULL,
		'list', (SELECT coalesce(jsonb_agg(CASE WHEN i % 3 = 0 THEN to_jsonb(i) WHEN i % 3 = 1 THEN to_jsonb('t' || i) ELSE jsonb_build_array(i, '{}'::jsonb, '[]'::jsonb) END), '[]')
			FROM generate_series(1, g % 80) i), 'deep', ('{"a":{"b":[{"c":' || g || '}]}}')::jsonb)
	FROM generate_series(1, 500) g;
INSERT INTO docs SELECT 1000 + id, to_jsonb(t) FROM letters WHERE id < 100000 AND id % 3 = 0 OR id BETWEEN 100000 AND 102000;
INSERT INTO docs SELECT 200000 + id, jsonb_build_object(t, t) FROM letters WHERE id > 100000 AND t <> '';
INSERT INTO docs SELECT 400000 + d, (repeat('[', d) || '{"x":null}' || repeat(']', d))::jsonb FROM generate_series(0, 40) d;
INSERT INTO docs SELECT 401000 + n, (SELECT jsonb_object_agg('key' || i, i) FROM generate_series(1, n) i) FROM generate_series(1, 100) n;
INSERT INTO docs SELECT 402000 + row_number() OVER (), j::jsonb FROM unnest(ARRAY['null', 'true', 'false', '0', '-1.50', '1e300', '1e-300', '""', '[]', '{}', '[[]]', '[{}]', '{"":""}',
	'"\u0001\u001f\n\t\"\\/"', '[null, [null, true], {"a": false}]']) j;
INSERT INTO docs SELECT 403000 + n, to_jsonb(repeat('"', n)) FROM generate_series(200, 300) n;
INSERT INTO docs VALUES (404000, to_jsonb(repeat('long ', 100000))), (404001, NULL);
CREATE TEMP TABLE rec AS SELECT data::json ->> 'table_name' AS tab, data::json #> '{op,Insert}' AS r, (data::json #>> '{op,Insert,0}')::int AS of_row
	FROM pg_logical_slot_get_changes('regress', NULL, NULL, 'fields', 'none');
ANALYZE rec, whole, fraction, moment, letters, labelled, docs;
CREATE TEMP VIEW wrong AS
	SELECT 'whole' AS tab, id, r::text FROM whole t JOIN rec ON tab = 'whole' AND of_row = id
		WHERE ARRAY(SELECT json_array_elements_text(r)) IS DISTINCT FROM ARRAY[id::text, CASE WHEN b THEN 't' ELSE 'f' END, s::text, i::text, l::text, o::text, u::text]
	UNION ALL SELECT 'fraction', id, r::text FROM fraction JOIN rec ON tab = 'fraction' AND of_row = id
		WHERE ARRAY(SELECT json_array_elements_text(r)) IS DISTINCT FROM ARRAY[id::text, f::text, d::text, n::text, m::text]
	UNION ALL SELECT 'moment', id, r::text FROM moment JOIN rec ON tab = 'moment' AND of_row = id
		WHERE ARRAY(SELECT json_array_elements_text(r)) IS DISTINCT FROM ARRAY[id::text, d::text, c::text, t::text, z::text]
	UNION ALL SELECT 'labelled', id, r::text FROM labelled JOIN rec ON tab = 'labelled' AND of_row = id
		WHERE ARRAY(SELECT json_array_elements_text(r)) IS DISTINCT FROM ARRAY[id::text, a::text, b::text, c::text]
	UNION ALL SELECT 'docs', id, r::text FROM docs JOIN rec ON tab = 'docs' AND of_row = id
		WHERE (r -> 1)::text IS DISTINCT FROM coalesce(to_json(j::text)::text, 'null')
	UNION ALL SELECT 'letters', id, r::text FROM letters JOIN rec ON tab = 'letters' AND of_row = id
		WHERE (r -> 1)::text IS DISTINCT FROM to_json(t)::text;
SELECT tab, count(*) FROM rec GROUP BY tab ORDER BY tab;
SELECT count(*) FROM rec LEFT JOIN (SELECT id, 'whole' AS tab FROM whole UNION ALL SELECT id, 'fraction' FROM fraction
	UNION ALL SELECT id, 'moment' FROM moment UNION ALL SELECT id, 'letters' FROM letters UNION ALL SELECT id, 'labelled' FROM labelled UNION ALL SELECT id, 'docs' FROM docs) t ON t.tab = rec.tab AND t.id = rec.of_row WHERE t.id IS NULL;
SELECT tab, left(r, 100) AS record FROM wrong LIMIT 5;
-- the comparison itself
UPDATE rec SET r = replace(r::text, '.5"', '.50"')::json WHERE tab = 'moment' AND r ->> 0 = '5';
UPDATE rec SET r = replace(r::text, ' ', '')::json WHERE tab = 'docs' AND r ->> 0 = '7';
UPDATE fraction SET n = 1.10 WHERE id = 33000;
SELECT tab, id FROM wrong ORDER BY 1;
DROP VIEW wrong;
DROP TABLE whole, fraction, moment, letters, labelled, docs, rec;
DROP TYPE label;
SELECT count(*) > 0 FROM changes();
