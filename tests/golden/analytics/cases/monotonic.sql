-- MONOTONIC: rows whose value goes back are dropped; equal values stay.
-- schema: N INTEGER
SELECT STREAM MONOTONIC(n) AS n, 'x' AS x FROM "SOURCE_SQL_STREAM_001";
