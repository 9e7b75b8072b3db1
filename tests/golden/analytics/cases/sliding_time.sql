-- Sliding windows of time, by key: the row itself counts, and what is at most 10 seconds older; rows of nulls count in COUNT(*) only.
-- schema: TICKER VARCHAR(4), SECTOR VARCHAR(16), PRICE REAL, QTY INTEGER
-- input: ticks
CREATE OR REPLACE STREAM "OUT" (ticker VARCHAR(4), price REAL, n INTEGER, priced BIGINT, total DOUBLE, mean REAL, least REAL, most REAL);
CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT"
SELECT STREAM ticker, price, COUNT(*) OVER w1, COUNT(price) OVER w1, SUM(price) OVER w1, AVG(price) OVER w1, MIN(price) OVER w1, MAX(price) OVER w1
FROM "SOURCE_SQL_STREAM_001"
WINDOW w1 AS (PARTITION BY ticker RANGE INTERVAL '10' SECOND PRECEDING);
