-- Two clocks: ROWTIME closes the groups, the event time is a key; late rows have a row of their own in the next window.
-- schema: KIND VARCHAR(8), HAPPENED TIMESTAMP, N INTEGER
-- input: tumbling_event_time
CREATE OR REPLACE STREAM "OUT" (event_minute TIMESTAMP, ingest_minute TIMESTAMP, kind VARCHAR(8), n INTEGER);
CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT"
SELECT STREAM STEP(s.happened BY INTERVAL '1' MINUTE), STEP(s.ROWTIME BY INTERVAL '5' SECOND), kind, COUNT(*) FROM "SOURCE_SQL_STREAM_001" s
GROUP BY kind, STEP(s.happened BY INTERVAL '1' MINUTE), STEP(s.ROWTIME BY INTERVAL '5' SECOND);
