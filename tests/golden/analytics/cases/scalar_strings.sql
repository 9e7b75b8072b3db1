-- String functions: positions before, in and after the text, empty texts, characters that take several bytes, nulls.
-- schema: A VARCHAR(32), C CHAR(5)
SELECT STREAM CHAR_LENGTH(a) AS len, CHARACTER_LENGTH(c) AS len_c, UPPER(a) AS up, LOWER(a) AS low, INITCAP(a) AS init, a || '-' || c AS joined,
    SUBSTRING(a FROM 2 FOR 3) AS sub, SUBSTRING(a, 3) AS sub_rest, SUBSTRING(a FROM 0 FOR 2) AS sub_0, SUBSTRING(a FROM '[0-9]+') AS digits,
    POSITION('l' IN a) AS pos, OVERLAY(a PLACING 'XY' FROM 2 FOR 1) AS over_, OVERLAY(a PLACING '__' FROM 1) AS over_2,
    TRIM(a) AS trimmed, TRIM(LEADING ' ' FROM a) AS lead, TRIM(TRAILING 'o' FROM a) AS trail, TRIM(BOTH 'h' FROM LOWER(a)) AS both_,
    REGEX_REPLACE(a, '[aeiou]', '*', 1, 0) AS vowels, REGEX_REPLACE(a, '(l+)', '<$1>', 1, 1) AS first_l, REGEX_REPLACE(a, 'o', '0', 6, 0) AS from_6
FROM "SOURCE_SQL_STREAM_001";
