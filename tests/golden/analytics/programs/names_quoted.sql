CREATE STREAM "200-Ordered ""Pump"" x" ("key order" BIGINT NOT NULL, "ünï" VARCHAR(3), U&"a\0041" INTEGER) DESCRIPTION 'orders, it''s said';
SELECT STREAM "s 1"."key order", "s 1".* FROM "200-Ordered ""Pump"" x" AS "s 1";
