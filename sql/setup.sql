--
-- What the other files use.
--
SET synchronous_commit = on;
SET client_min_messages = warning;
-- Records that the slot would send, consumed.  The cast fails on any JSON that
-- is not; LSNs become their rank, commit times "T".
CREATE FUNCTION changes(VARIADIC options text[] DEFAULT '{}')
RETURNS SETOF text LANGUAGE sql AS $$
	SELECT regexp_replace(regexp_replace(data, '"lsn":\d+', '"lsn":' ||
		dense_rank() OVER (ORDER BY (data::json ->> 'lsn')::numeric)),
		'"commit_ts":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"',
		'"commit_ts":"T"')
	FROM pg_logical_slot_get_changes('regress', NULL, NULL, VARIADIC options)
		WITH ORDINALITY AS c (lsn, xid, data, n)
	ORDER BY n
$$;
SELECT 'init' FROM pg_create_logical_replication_slot('regress', 'wal2kafka');
