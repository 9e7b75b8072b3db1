-- Tumbling windows by STEP: every aggregate, with and without nulls; a group of nulls alone.
-- schema: TICKER VARCHAR(4), SECTOR VARCHAR(16), PRICE REAL, QTY INTEGER
-- input: ticks
CREATE OR REPLACE STREAM "OUT" (ticker VARCHAR(4), since TIMESTAMP, n INTEGER, priced BIGINT, total DOUBLE, mean REAL, least REAL, most REAL, quantity BIGINT, mean_quantity INTEGER, kinds BIGINT);
CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT"
SELECT STREAM ticker, STEP("SOURCE_SQL_STREAM_001".ROWTIME BY INTERVAL '10' SECOND), COUNT(*), COUNT(price), SUM(price), AVG(price), MIN(price), MAX(price),
    SUM(qty), AVG(qty), COUNT(DISTINCT qty)
FROM "SOURCE_SQL_STREAM_001"
GROUP BY ticker, STEP("SOURCE_SQL_STREAM_001".ROWTIME BY INTERVAL '10' SECOND);
