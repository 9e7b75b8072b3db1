-- Tumbling windows by the old idiom: seconds since 1970, divided and cut.
-- schema: TICKER VARCHAR(4), SECTOR VARCHAR(16), PRICE REAL, QTY INTEGER
-- input: ticks
SELECT STREAM sector, COUNT(*) AS n, MAX(price) AS most
FROM "SOURCE_SQL_STREAM_001" AS s
GROUP BY sector, FLOOR((s.ROWTIME - TIMESTAMP '1970-01-01 00:00:00') SECOND / 10 TO SECOND);
