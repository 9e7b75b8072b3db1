CREATE OR REPLACE PUMP "CATEGORIES" AS INSERT INTO "categories" SELECT STREAM * FROM TABLE (
    TOP_K_ITEMS_TUMBLING(
        CURSOR(SELECT STREAM * FROM "views_001" AS v JOIN "items" AS i ON v."item_id" = i."item_id"),
        'category', 10, 60));
