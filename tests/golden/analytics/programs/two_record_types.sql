CREATE OR REPLACE STREAM "Order_Stream" ("order_id" integer, "order_type" varchar(10), "ticker" varchar(4), "order_price" DOUBLE, "record_type" varchar(10));
CREATE OR REPLACE PUMP "Order_Pump" AS INSERT INTO "Order_Stream"
SELECT STREAM "Oid", "Otype", "Oticker", "Oprice", "RecordType" FROM "SOURCE_SQL_STREAM_001" WHERE "RecordType" = 'Order';
CREATE OR REPLACE PUMP "Trade_Pump" AS INSERT INTO "Trade_Stream"
SELECT STREAM "Tid", "Toid", "Tprice" FROM "SOURCE_SQL_STREAM_001" WHERE "RecordType" = 'Trade';
CREATE OR REPLACE PUMP "Joined_Pump" AS INSERT INTO "DESTINATION_SQL_STREAM"
SELECT STREAM "to"."order_id", MIN("tr"."trade_price") FROM "Order_Stream" "to" JOIN "Trade_Stream" OVER (RANGE INTERVAL '1' HOUR PRECEDING) "tr" ON "to"."order_id" = "tr"."order_id"
GROUP BY "to"."order_id", FLOOR("to".ROWTIME TO MINUTE);
