-- FIRST_VALUE and NTH_VALUE that pass over nulls, FROM FIRST; LAG without a frame; least and greatest texts; distinct counts of a time; unbounded windows of time.
-- schema: TICKER VARCHAR(4), SECTOR VARCHAR(16), PRICE REAL, QTY INTEGER
-- input: ticks
SELECT STREAM ticker, qty, FIRST_VALUE(qty) IGNORE NULLS OVER w AS first_, NTH_VALUE(qty, 2) FROM FIRST IGNORE NULLS OVER w AS second_, NTH_VALUE(qty, 1) FROM LAST RESPECT NULLS OVER w AS last_,
    LAG(qty, 1) OVER (PARTITION BY ticker) AS before, MIN(ticker) OVER minute_ AS least_, MAX(ticker) OVER minute_ AS most_, COUNT(DISTINCT ticker) OVER minute_ AS tickers,
    SUM(qty) OVER (PARTITION BY sector RANGE UNBOUNDED PRECEDING) AS so_far, SUM(DISTINCT qty) OVER minute_ AS kinds
FROM "SOURCE_SQL_STREAM_001"
WINDOW w AS (PARTITION BY sector ROWS 2 PRECEDING), minute_ AS (RANGE INTERVAL '30' SECOND PRECEDING);
