-- Deviations and variances: a single value has none of the sample, but of the population.
-- schema: TICKER VARCHAR(4), SECTOR VARCHAR(16), PRICE REAL, QTY INTEGER
-- input: ticks
SELECT STREAM ticker, STDDEV_POP(price) AS sp, STDDEV_SAMP(price) AS ss, VAR_POP(price) AS vp, VAR_SAMP(price) AS vs, VAR_POP(qty) AS qvp
FROM "SOURCE_SQL_STREAM_001" AS s
GROUP BY ticker, STEP(s.ROWTIME BY INTERVAL '1' HOUR);
