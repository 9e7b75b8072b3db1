-- Approximate distinct count: every 60 seconds, how many different shares were traded.
CREATE OR REPLACE STREAM "DESTINATION_SQL_STREAM" (number_of_distinct_items BIGINT);

CREATE OR REPLACE PUMP "STREAM_PUMP" AS
INSERT INTO "DESTINATION_SQL_STREAM"
SELECT STREAM number_of_distinct_items
FROM TABLE(COUNT_DISTINCT_ITEMS_TUMBLING(
    CURSOR(SELECT STREAM ticker_symbol FROM "SOURCE_SQL_STREAM_001"), 'TICKER_SYMBOL', 60));
