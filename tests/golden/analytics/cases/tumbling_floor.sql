-- Tumbling windows by FLOOR, of the whole stream: no key but time. The first and last row, and truths.
-- schema: TICKER VARCHAR(4), SECTOR VARCHAR(16), PRICE REAL, QTY INTEGER
-- input: ticks
SELECT STREAM FLOOR(s.ROWTIME TO MINUTE) AS minute_, COUNT(*) AS n, FIRST_VALUE(ticker) AS first_, LAST_VALUE(ticker) AS last_,
    ANY(price > 20) AS any_dear, EVERY(price > 5) AS every_dear
FROM "SOURCE_SQL_STREAM_001" AS s
GROUP BY FLOOR(s.ROWTIME TO MINUTE);
