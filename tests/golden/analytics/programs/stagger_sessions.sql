CREATE OR REPLACE PUMP "WINDOW_PUMP_SEC" AS INSERT INTO "SESSIONS"
SELECT STREAM
    UPPER(CAST("user_id" AS VARCHAR(3)) || '_' || SUBSTRING("device_id", 1, 3)
        || CAST(UNIX_TIMESTAMP(STEP("client_timestamp" BY INTERVAL '30' SECOND)) / 1000 AS VARCHAR(20))) AS session_id,
    "user_id", "device_id",
    COUNT("client_event") events,
    FIRST_VALUE("client_event") AS beginnavigation,
    LAST_VALUE("client_event") AS endnavigation,
    TSDIFF(MAX("client_timestamp"), MIN("client_timestamp")) / 1000 AS duration_sec
FROM "SOURCE_SQL_STREAM_001"
WHERE "client_event" IS NOT NULL
WINDOWED BY STAGGER (
    PARTITION BY "user_id", "device_id", STEP("client_timestamp" BY INTERVAL '30' SECOND)
    RANGE INTERVAL '30' SECOND)
HAVING COUNT(*) > 1;
