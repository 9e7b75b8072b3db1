-- A multi-step application: a filter feeds a stream of its own, which an aggregation reads.
CREATE OR REPLACE STREAM "IN_APP_STREAM" (ticker_symbol VARCHAR(4), sector VARCHAR(16), change REAL, price REAL);
CREATE OR REPLACE STREAM "DESTINATION_SQL_STREAM" (
    ticker_symbol VARCHAR(4), rising INTEGER, change_avg REAL, price_max REAL);

CREATE OR REPLACE PUMP "FILTER_PUMP" AS
INSERT INTO "IN_APP_STREAM"
SELECT STREAM ticker_symbol, sector, change, price
FROM "SOURCE_SQL_STREAM_001"
WHERE change > 0;

CREATE OR REPLACE PUMP "STREAM_PUMP" AS
INSERT INTO "DESTINATION_SQL_STREAM"
SELECT STREAM ticker_symbol, COUNT(*), AVG(change), MAX(price)
FROM "IN_APP_STREAM"
GROUP BY ticker_symbol, FLOOR("IN_APP_STREAM".ROWTIME TO MINUTE)
HAVING COUNT(*) > 1;
