-- HAVING by aggregates that are not selected; several aggregates in one expression; DISTINCT sums; WHERE before.
-- schema: TICKER VARCHAR(4), SECTOR VARCHAR(16), PRICE REAL, QTY INTEGER
-- input: ticks
SELECT STREAM ticker, MAX(price) - MIN(price) AS spread, SUM(DISTINCT qty) AS quantities, SUM(CASE WHEN price > 10 THEN 1 ELSE 0 END) * 100 / COUNT(*) AS dear_percent
FROM "SOURCE_SQL_STREAM_001" AS s
WHERE sector <> 'ENERGY'
GROUP BY ticker, FLOOR(s.ROWTIME TO MINUTE)
HAVING COUNT(*) > 1 AND NOT MAX(price) IS NULL;
