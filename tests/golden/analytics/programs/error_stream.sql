CREATE OR REPLACE PUMP "ERRORS" AS INSERT INTO "MY_ERRORS" (at, message) SELECT STREAM error_time, message FROM "error_stream" WHERE error_level = 'ERROR';
