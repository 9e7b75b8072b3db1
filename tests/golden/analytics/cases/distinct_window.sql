-- DISTINCT within a window of time: the first of equal rows, at once; null equals null.
-- schema: TICKER VARCHAR(4), SECTOR VARCHAR(16), PRICE REAL, QTY INTEGER
-- input: ticks
SELECT STREAM DISTINCT FLOOR(s.ROWTIME TO MINUTE) AS minute_, sector, CASE WHEN price > 15 THEN 'dear' WHEN price > 0 THEN 'cheap' END AS class FROM "SOURCE_SQL_STREAM_001" s;
