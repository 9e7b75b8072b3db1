-- Names: unquoted ones fold to upper case, quoted ones count as written; U& literals; words that need no quotes here.
-- schema: N INTEGER, "n" INTEGER $.lower, "key of it" VARCHAR(8) $.deep.key, COUNT INTEGER $.list[1]
-- source: MY_PREFIX_001
CREATE OR REPLACE STREAM "out" ("N" INTEGER, "n" INTEGER, "a ""quoted"" one" VARCHAR(8), tab VARCHAR(3), u VARCHAR(8), value INTEGER, type VARCHAR(4));
CREATE OR REPLACE PUMP pump AS INSERT INTO "out"
SELECT STREAM n, "n", "key of it", u&'x\0009y', U&'!00e9\' UESCAPE '!', count, 'it''s' FROM my_prefix_001;
