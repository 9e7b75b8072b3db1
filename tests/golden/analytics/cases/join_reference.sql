-- Reference tables: INNER and LEFT, with a condition beside the key, on either side of JOIN; several rows for a key; null keys match nothing.
-- schema: TICKER VARCHAR(4), SECTOR VARCHAR(16), PRICE REAL, QTY INTEGER
-- input: ticks
-- table: COMPANIES (SYMBOL VARCHAR(4), COMPANY VARCHAR(20), LIMIT_ DOUBLE)
CREATE OR REPLACE STREAM "INNERS" (ticker VARCHAR(4), company VARCHAR(20), price REAL);
CREATE OR REPLACE STREAM "LEFTS" (ticker VARCHAR(4), company VARCHAR(20), price REAL);
CREATE OR REPLACE STREAM "TABLE_FIRST" (ticker VARCHAR(4), company VARCHAR(20));
CREATE OR REPLACE PUMP "P1" AS INSERT INTO "INNERS" SELECT STREAM s.ticker, c.company, s.price FROM "SOURCE_SQL_STREAM_001" AS s JOIN COMPANIES AS c ON s.ticker = c.symbol;
CREATE OR REPLACE PUMP "P2" AS INSERT INTO "LEFTS" SELECT STREAM s.ticker, c.company, s.price FROM "SOURCE_SQL_STREAM_001" AS s LEFT JOIN COMPANIES AS c ON s.ticker = c.symbol AND s.price > c.limit_;
CREATE OR REPLACE PUMP "P3" AS INSERT INTO "TABLE_FIRST" SELECT STREAM s.ticker, c.company FROM COMPANIES AS c RIGHT JOIN "SOURCE_SQL_STREAM_001" AS s ON UPPER(c.symbol) = s.ticker WHERE s.qty > 3;
