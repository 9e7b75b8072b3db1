-- Anomaly detection: a random cut forest scores every tick; the highest scores of each second come first.
CREATE OR REPLACE STREAM "TEMP_STREAM" (
    ticker_symbol VARCHAR(4), sector VARCHAR(16), change REAL, price REAL, anomaly_score DOUBLE);
CREATE OR REPLACE STREAM "DESTINATION_SQL_STREAM" (
    ticker_symbol VARCHAR(4), sector VARCHAR(16), change REAL, price REAL, anomaly_score DOUBLE);

CREATE OR REPLACE PUMP "STREAM_PUMP" AS
INSERT INTO "TEMP_STREAM"
SELECT STREAM ticker_symbol, sector, change, price, anomaly_score
FROM TABLE(RANDOM_CUT_FOREST(
    CURSOR(SELECT STREAM ticker_symbol, sector, change, price FROM "SOURCE_SQL_STREAM_001")));

CREATE OR REPLACE PUMP "OUTPUT_PUMP" AS
INSERT INTO "DESTINATION_SQL_STREAM"
SELECT STREAM ticker_symbol, sector, change, price, anomaly_score
FROM "TEMP_STREAM"
ORDER BY FLOOR("TEMP_STREAM".ROWTIME TO SECOND), anomaly_score DESC;
