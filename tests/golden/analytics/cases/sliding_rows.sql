-- Sliding windows of rows: ROWS 1 PRECEDING is two rows; ROWS 0 the row itself; UNBOUNDED all; several partitions in one SELECT; inline windows.
-- schema: TICKER VARCHAR(4), SECTOR VARCHAR(16), PRICE REAL, QTY INTEGER
-- input: ticks
SELECT STREAM ticker, sector, qty,
    SUM(qty) OVER (PARTITION BY ticker ROWS 1 PRECEDING) AS two,
    SUM(qty) OVER (PARTITION BY sector ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS three_of_sector,
    COUNT(*) OVER (ROWS UNBOUNDED PRECEDING) AS number,
    COUNT(DISTINCT ticker) OVER (ROWS UNBOUNDED PRECEDING) AS tickers,
    SUM(qty) OVER (PARTITION BY ticker ROWS 0 PRECEDING) AS itself,
    MAX(qty) OVER (PARTITION BY ticker) AS most_so_far
FROM "SOURCE_SQL_STREAM_001";
