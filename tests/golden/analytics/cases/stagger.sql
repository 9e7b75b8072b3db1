-- Stagger windows: opened by the first row of a key, closed after their age; the event minute is part of the key.
-- schema: TICKER VARCHAR(4), SECTOR VARCHAR(16), PRICE REAL, QTY INTEGER
-- input: ticks
SELECT STREAM ticker, FLOOR(s.ROWTIME TO MINUTE) AS minute_, COUNT(*) AS n, MIN(s.ROWTIME) AS first_, MAX(s.ROWTIME) AS last_
FROM "SOURCE_SQL_STREAM_001" s
WINDOWED BY STAGGER (PARTITION BY ticker, FLOOR(s.ROWTIME TO MINUTE) RANGE INTERVAL '15' SECOND)
HAVING COUNT(*) >= 1;
