--
-- Options: each fault names the option and the value.
--
SET synchronous_commit = on;
CREATE TABLE opt (id int PRIMARY KEY, v text);
INSERT INTO opt VALUES (1, 'a');
-- unknown, repeated, without a value
SELECT changes('colour', 'red');
SELECT changes('fields', 'none', 'fields', 'none');
SELECT changes('fields', NULL);
-- malformed
SELECT changes('proto_version', '99');
SELECT changes('proto_version', '1x');
SELECT changes('proto_version', '-1');
SELECT changes('proto_version', '');
SELECT changes('max_record', '99999999999999999999');
SELECT changes('truncate', 'maybe');
SELECT changes('include_xid', 'perhaps');
SELECT changes('topic_prefix', 'a b');
SELECT changes('publication_names', 'a,,b');
SELECT changes('publication_names', '"a');
-- pgoutput's, refused by name
SELECT changes('streaming', 'on');
SELECT changes('two_phase', 'on');
SELECT changes('binary', 'true');
-- frames are binary
SELECT changes('proto_version', '1');
-- the same change, with and without what comes after the five fields
SELECT changes('fields', 'none');
INSERT INTO opt VALUES (2, 'b');
SELECT regexp_replace(changes('include_xid', 'on', 'include_origin', 'on'),
	'"xid":\d+', '"xid":X');
-- origins
SELECT pg_replication_origin_create('regress "origin"');
SELECT pg_replication_origin_session_setup('regress "origin"');
BEGIN;
SELECT pg_replication_origin_xact_setup('0/1', '2001-02-03 04:05:06+00');
INSERT INTO opt VALUES (3, 'c');
COMMIT;
SELECT pg_replication_origin_session_reset();
SELECT data::json ->> 'origin' AS origin, data::json ->> 'commit_ts' AS commit_ts
	FROM pg_logical_slot_get_changes('regress', NULL, NULL, 'include_origin', 'on');
SELECT pg_replication_origin_drop('regress "origin"');
-- a limit for records, in frames
INSERT INTO opt VALUES (4, repeat('x', 2000));
SELECT count(*) FROM pg_logical_slot_peek_binary_changes('regress', NULL, NULL,
	'proto_version', '1', 'max_record', '3000');
\set VERBOSITY terse
SELECT count(*) FROM pg_logical_slot_peek_binary_changes('regress', NULL, NULL,
	'proto_version', '1', 'max_record', '1500');
\set VERBOSITY default
SELECT count(*) FROM changes();
DROP TABLE opt;
SELECT count(*) FROM changes();
