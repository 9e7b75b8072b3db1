-- Tumbling windows of an event time alone: a group closes when the greatest event time passes its end; what comes later is an error.
-- schema: KIND VARCHAR(8), HAPPENED TIMESTAMP, N INTEGER
CREATE OR REPLACE STREAM "OUT" (kind VARCHAR(8), minute_ TIMESTAMP, n BIGINT, total BIGINT);
CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT"
SELECT STREAM kind, STEP(happened BY INTERVAL '1' MINUTE), COUNT(*), SUM(n) FROM "SOURCE_SQL_STREAM_001"
GROUP BY kind, STEP(happened BY INTERVAL '1' MINUTE);
