-- TOP_K_ITEMS_TUMBLING: exact while there are few items; at a tie, who came first; windows of their own.
-- schema: TICKER VARCHAR(4), SECTOR VARCHAR(16), PRICE REAL, QTY INTEGER
-- input: ticks
CREATE OR REPLACE STREAM "OUT" (item VARCHAR(1024), item_count DOUBLE);
CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT"
SELECT STREAM item, item_count FROM TABLE(TOP_K_ITEMS_TUMBLING(CURSOR(SELECT STREAM ticker, price FROM "SOURCE_SQL_STREAM_001"), 'TICKER', 2, 60));
