SELECT STREAM * FROM "APP"."orders" AS o, sys.clock;
