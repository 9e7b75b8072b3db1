CREATE OR REPLACE STREAM "MESSAGES_WITH_NAMES" ("deviceid" INT, "station" VARCHAR(64), "datetime" TIMESTAMP, "temperature" DECIMAL(4,1));
CREATE OR REPLACE PUMP "NAMES_PUMP" AS INSERT INTO "MESSAGES_WITH_NAMES"
SELECT STREAM a."deviceid", w."station", a."datetime", a."temperature" FROM "SOURCE_SQL_STREAM_001" AS a LEFT OUTER JOIN "STATIONS" AS w ON a."deviceid" = w."deviceid";
CREATE OR REPLACE PUMP "ALERTS_PUMP" AS INSERT INTO "ALERTS"
SELECT STREAM "deviceid", "station", MIN("datetime") AS "from", MAX("temperature") AS "max_temp", COUNT(*) AS "messages"
FROM "MESSAGES_WITH_NAMES" WHERE "temperature" > 30
WINDOWED BY STAGGER (PARTITION BY "deviceid", "station", STEP("datetime" BY INTERVAL '2' MINUTE) RANGE INTERVAL '2' MINUTE);
