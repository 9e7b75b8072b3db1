-- Aggregation in a sliding time window: with every tick, what the share's last 10 seconds were like.
CREATE OR REPLACE STREAM "DESTINATION_SQL_STREAM" (
    ticker_symbol VARCHAR(4), min_price REAL, max_price REAL, avg_price REAL);

CREATE OR REPLACE PUMP "STREAM_PUMP" AS
INSERT INTO "DESTINATION_SQL_STREAM"
SELECT STREAM ticker_symbol,
    MIN(price) OVER w1 AS min_price,
    MAX(price) OVER w1 AS max_price,
    AVG(price) OVER w1 AS avg_price
FROM "SOURCE_SQL_STREAM_001"
WINDOW w1 AS (PARTITION BY ticker_symbol RANGE INTERVAL '10' SECOND PRECEDING);
