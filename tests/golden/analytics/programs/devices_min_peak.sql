CREATE OR REPLACE PUMP "STREAM_PUMP_003" AS INSERT INTO "DESTINATION_SQL_STREAM_002"
    SELECT STREAM device_id, warning, seen--, ingest_time
    FROM (SELECT STREAM device_id, MIN(peak) OVER three AS warning, COUNT(*) OVER three AS n, seen FROM "PEAKS"
          WINDOW three AS (PARTITION BY device_id ROWS 2 PRECEDING))
    WHERE warning >= 0.5 AND n = 3;
