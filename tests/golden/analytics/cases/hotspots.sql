-- HOTSPOTS: every seventh point is near (5, 5), the others anywhere: once enough of them came, rows tell of one hotspot, around there.
-- schema: X DOUBLE, Y DOUBLE
SELECT STREAM COUNT(*) AS n, SUM(CASE WHEN hotspots_result LIKE '%minValues%' THEN 1 ELSE 0 END) AS with_spots
FROM TABLE(HOTSPOTS(CURSOR(SELECT STREAM x, y FROM "SOURCE_SQL_STREAM_001"), 100, 1.0, 8)) AS h GROUP BY FLOOR(h.ROWTIME TO MINUTE);
