-- Statistics over sliding windows, EXP_AVG with a half-life, ANY and EVERY.
-- schema: TICKER VARCHAR(4), SECTOR VARCHAR(16), PRICE REAL, QTY INTEGER
-- input: ticks
SELECT STREAM ticker, price, STDDEV_POP(price) OVER w AS sp, STDDEV_SAMP(price) OVER w AS ss, VAR_POP(price) OVER w AS vp, VAR_SAMP(price) OVER w AS vs,
    EXP_AVG(price, INTERVAL '10' SECOND) OVER w AS ea, ANY(price > 12) OVER w AS any_, EVERY(price > 9) OVER w AS every_
FROM "SOURCE_SQL_STREAM_001"
WHERE ticker = 'AAA'
WINDOW w AS (PARTITION BY ticker RANGE INTERVAL '1' MINUTE PRECEDING);
