-- Tumbling windows of calendar months and years: February 2024 has 29 days.
-- schema: N INTEGER
SELECT STREAM FLOOR(s.ROWTIME TO MONTH) AS month_, COUNT(*) AS n, SUM(n) AS total FROM "SOURCE_SQL_STREAM_001" AS s GROUP BY FLOOR(s.ROWTIME TO MONTH);
