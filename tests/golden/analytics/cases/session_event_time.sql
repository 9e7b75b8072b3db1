-- Sessions of an event time: a late row joins the open session; one whose session has long ended is an error.
-- schema: WHO VARCHAR(8), AT_ TIMESTAMP
SELECT STREAM who, MIN(at_) AS since, MAX(at_) AS till, COUNT(*) AS n FROM "SOURCE_SQL_STREAM_001"
WINDOWED BY SESSION (PARTITION BY who ON at_ TIMEOUT INTERVAL '1' MINUTE);
