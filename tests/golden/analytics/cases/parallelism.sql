-- Streams of an input's parallelism have names of their own; one of them is read here.
-- schema: N INTEGER
-- input: numbers12
-- source: INPUT_002
SELECT STREAM n + 1 AS n FROM "INPUT_002";
