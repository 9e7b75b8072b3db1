-- GROUP_RANK of the rows of each window: descending ranks, in the order of ascending ones.
-- schema: TICKER VARCHAR(4), SECTOR VARCHAR(16), PRICE REAL, QTY INTEGER
-- input: ticks
SELECT STREAM "rank", ticker, mean FROM TABLE(GROUP_RANK(
    CURSOR(SELECT STREAM ticker, AVG(price) AS mean FROM "SOURCE_SQL_STREAM_001" s GROUP BY ticker, STEP(s.ROWTIME BY INTERVAL '60' SECOND)),
    'MEAN', 'rank', 'desc', 'asc', 10, 2));
