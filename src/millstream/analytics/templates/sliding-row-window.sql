-- Aggregation in a sliding row window: averages over the share's last 2 and last 10 ticks, and the one before.
CREATE OR REPLACE STREAM "DESTINATION_SQL_STREAM" (
    ticker_symbol VARCHAR(4), price REAL, previous_price REAL, avg_last_2 REAL, avg_last_10 REAL);

CREATE OR REPLACE PUMP "STREAM_PUMP" AS
INSERT INTO "DESTINATION_SQL_STREAM"
SELECT STREAM ticker_symbol,
    price,
    LAG(price, 1) OVER last_10 AS previous_price,
    AVG(price) OVER last_2 AS avg_last_2,
    AVG(price) OVER last_10 AS avg_last_10
FROM "SOURCE_SQL_STREAM_001"
WINDOW
    last_2 AS (PARTITION BY ticker_symbol ROWS 1 PRECEDING),
    last_10 AS (PARTITION BY ticker_symbol ROWS 9 PRECEDING);
