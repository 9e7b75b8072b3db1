-- What a log parser found goes into text columns as well, numbers included.
-- schema: LINE VARCHAR(256)
CREATE OR REPLACE STREAM "FOUND" (host VARCHAR(16), status VARCHAR(4), bytes_ VARCHAR(16));
CREATE OR REPLACE PUMP "P" AS INSERT INTO "FOUND"
SELECT STREAM l.r.COLUMN1, l.r.COLUMN6, l.r.COLUMN7
FROM (SELECT STREAM W3C_LOG_PARSE(line, 'COMMON') FROM "SOURCE_SQL_STREAM_001") AS l(r);
