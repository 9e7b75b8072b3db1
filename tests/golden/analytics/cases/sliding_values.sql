-- FIRST_VALUE, LAST_VALUE, NTH_VALUE and LAG, with and without nulls; a default of LAG; windows based on others.
-- schema: TICKER VARCHAR(4), SECTOR VARCHAR(16), PRICE REAL, QTY INTEGER
-- input: ticks
SELECT STREAM ticker, price,
    FIRST_VALUE(price) OVER w AS first_, LAST_VALUE(price) OVER w AS last_, LAST_VALUE(price) IGNORE NULLS OVER w AS last_known,
    NTH_VALUE(price, 2) OVER w AS second_, LAG(price) OVER w AS before, LAG(price, 2, CAST(-1 AS REAL)) OVER w AS two_before,
    LAG(price, 1) IGNORE NULLS OVER w AS known_before
FROM "SOURCE_SQL_STREAM_001"
WINDOW by_ticker AS (PARTITION BY ticker), w AS (by_ticker ROWS 2 PRECEDING);
