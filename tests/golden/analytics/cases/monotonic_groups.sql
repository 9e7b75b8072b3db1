-- Groups by steps of an event time within MONOTONIC: rows of a step that has gone are dropped.
-- schema: KIND VARCHAR(8), HAPPENED TIMESTAMP, N INTEGER
-- input: tumbling_event_time
SELECT STREAM kind, MONOTONIC(STEP(happened BY INTERVAL '1' MINUTE)) AS minute_, COUNT(*) AS n, SUM(n) AS total FROM "SOURCE_SQL_STREAM_001"
GROUP BY kind, MONOTONIC(STEP(happened BY INTERVAL '1' MINUTE));
