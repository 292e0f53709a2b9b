-- What a test of arbitrary DDL needs in the source: each new table gets the
-- identity FULL, and where DDL changes columns or values a row in
-- differ.rewritten says what the table is then, for whoever keeps a copy
-- (replay.c).  Run once, before anything else.
CREATE SCHEMA differ;

CREATE TABLE differ.rewritten (
	schema_name text, table_name text,
	cols json,					-- NULL: there is no such table any more
	rows json);
ALTER TABLE differ.rewritten REPLICA IDENTITY FULL;

-- what was last told of a table
CREATE TABLE differ.known (relid oid, shape text);
CREATE INDEX ON differ.known (relid);
ALTER TABLE differ.known REPLICA IDENTITY FULL;

-- The type, and all whose text depends on its: arrays, domains, rows, ranges.
CREATE FUNCTION differ.types_over(oid) RETURNS SETOF oid LANGUAGE sql AS $$
	WITH RECURSIVE over(type) AS (
		SELECT $1
		UNION
		SELECT next.type FROM over, LATERAL (
			SELECT t.oid FROM pg_type t
				WHERE t.typelem = over.type OR t.typbasetype = over.type
			UNION ALL
			SELECT c.reltype FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
				WHERE a.atttypid = over.type AND NOT a.attisdropped AND c.reltype <> 0
			UNION ALL
			SELECT r.rngtypid FROM pg_range r WHERE r.rngsubtype = over.type
			UNION ALL
			SELECT r.rngmultitypid FROM pg_range r WHERE r.rngtypid = over.type
		) next (type))
	SELECT type FROM over
$$;

-- Tells what a table is, if it is not as it was last told.
CREATE FUNCTION differ.tell(relid oid, forced bool) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	rel record;
	names text[];
	texts text;
	told text;
BEGIN
	SELECT n.nspname, c.relname, c.relfilenode, c.relreplident INTO rel
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.oid = tell.relid AND c.relkind = 'r' AND c.relpersistence = 'p'
		AND n.nspname NOT IN ('differ', 'pg_catalog');
	IF NOT FOUND THEN
		RETURN;
	END IF;
	IF rel.relreplident <> 'f' THEN
		EXECUTE format('ALTER TABLE %I.%I REPLICA IDENTITY FULL', rel.nspname, rel.relname);
	END IF;

	-- by the output function, as records have it: a cast is another thing
	SELECT array_agg(attname ORDER BY attnum), string_agg(format(
			'CASE num_nulls(x.%1$I) WHEN 0 THEN format(''%%s'', x.%1$I) END', attname), ', ' ORDER BY attnum)
		INTO names, texts FROM pg_attribute
		WHERE attrelid = tell.relid AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
	told := format('%s %s %s %s', rel.nspname, rel.relname, rel.relfilenode, names);
	IF NOT forced AND EXISTS (SELECT FROM differ.known k WHERE k.relid = tell.relid AND k.shape = told) THEN
		RETURN;
	END IF;
	DELETE FROM differ.known k WHERE k.relid = tell.relid;
	INSERT INTO differ.known VALUES (tell.relid, told);
	EXECUTE format('INSERT INTO differ.rewritten SELECT %L, %L, %L,
		coalesce(json_agg(ARRAY[%s]::text[]), ''[]'') FROM ONLY %I.%I x',
		rel.nspname, rel.relname, to_json(coalesce(names, '{}')), texts,
		rel.nspname, rel.relname);
END $$
SET search_path = pg_catalog SET DateStyle = 'ISO, YMD' SET IntervalStyle = 'postgres'
SET TimeZone = 'UTC' SET bytea_output = 'hex' SET extra_float_digits = 1
SET lc_monetary = 'C' SET quote_all_identifiers = off;

-- A type, which may be a table's row, has changed its text.
CREATE FUNCTION differ.tell_users(type oid) RETURNS void LANGUAGE sql AS $$
	SELECT differ.tell(attrelid, true) FROM (
		SELECT DISTINCT attrelid FROM pg_attribute
			WHERE atttypid IN (SELECT differ.types_over(type)) AND NOT attisdropped
		UNION
		SELECT oid FROM pg_class WHERE reloftype = type) t
$$;

CREATE FUNCTION differ.after_ddl() RETURNS event_trigger LANGUAGE plpgsql
SECURITY DEFINER AS $$
DECLARE
	done record;
BEGIN
	-- its own ALTER TABLE comes by here as well
	IF current_setting('differ.busy', true) = 'on' THEN
		RETURN;
	END IF;
	PERFORM set_config('differ.busy', 'on', true);
	FOR done IN SELECT DISTINCT classid, objid, object_type, command_tag
		FROM pg_event_trigger_ddl_commands()
	LOOP
		IF done.classid = 'pg_class'::regclass THEN
			PERFORM differ.tell(c.oid, false) FROM (
				WITH RECURSIVE below(oid) AS (
					SELECT done.objid
					UNION
					SELECT i.inhrelid FROM pg_inherits i, below WHERE i.inhparent = below.oid)
				SELECT oid FROM below) c;
			PERFORM differ.tell_users(c.reltype) FROM pg_class c
				WHERE c.oid = done.objid AND done.command_tag LIKE 'ALTER%' AND c.reltype <> 0
				AND EXISTS (SELECT FROM pg_attribute WHERE atttypid = c.reltype);
		ELSIF done.classid = 'pg_type'::regclass AND done.command_tag LIKE 'ALTER%' THEN
			PERFORM differ.tell_users(done.objid);
		ELSIF done.classid = 'pg_namespace'::regclass AND done.command_tag LIKE 'ALTER%' THEN
			PERFORM differ.tell(oid, false) FROM pg_class
				WHERE relnamespace = done.objid AND relkind = 'r';
		END IF;
	END LOOP;
	PERFORM set_config('differ.busy', 'off', true);
END $$ SET search_path = pg_catalog;

CREATE FUNCTION differ.after_drop() RETURNS event_trigger LANGUAGE plpgsql
SECURITY DEFINER AS $$
DECLARE
	gone record;
BEGIN
	FOR gone IN SELECT classid, objid, objsubid, object_type, schema_name, object_name, is_temporary
		FROM pg_event_trigger_dropped_objects()
	LOOP
		IF gone.is_temporary THEN
			CONTINUE;
		ELSIF gone.object_type = 'table' THEN
			INSERT INTO differ.rewritten VALUES (gone.schema_name, gone.object_name);
			DELETE FROM differ.known WHERE relid = gone.objid;
		ELSIF gone.object_type = 'table column' THEN
			PERFORM differ.tell(gone.objid, false);
		END IF;
	END LOOP;
END $$ SET search_path = pg_catalog;

CREATE EVENT TRIGGER differ_after_ddl ON ddl_command_end EXECUTE FUNCTION differ.after_ddl();
CREATE EVENT TRIGGER differ_after_drop ON sql_drop EXECUTE FUNCTION differ.after_drop();
ALTER EVENT TRIGGER differ_after_ddl ENABLE ALWAYS;
ALTER EVENT TRIGGER differ_after_drop ENABLE ALWAYS;
