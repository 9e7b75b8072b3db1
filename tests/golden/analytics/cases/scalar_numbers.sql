-- Numeric functions and arithmetic: halves, negatives, nulls, whole divisions, remainders of negatives.
-- schema: A DOUBLE, I INTEGER, J INTEGER, D DECIMAL(10,2)
SELECT STREAM ABS(a) AS abs_, CEIL(a) AS ceil_, CEILING(d) AS ceiling_d, FLOOR(a) AS floor_, FLOOR(d) AS floor_d, EXP(a) AS exp_, LN(ABS(a)) AS ln_, LOG10(ABS(a)) AS log10_,
    MOD(i, 3) AS mod_, POWER(a, 2) AS power_, POWER(i, 2) AS power_i, STEP(i BY 5) AS step_, SQRT(ABS(a)) AS sqrt_, ROUND(a) AS round_, ROUND(a, 1) AS round_1,
    i / 2 AS half, i / 2.0 AS half_decimal, -i AS neg, i + j * 2 AS sum_, (i + j) * 2 AS sum2, a / 3 AS third, d * 1.5 AS d15, d - d AS zero, i * 1.5E0 AS doubled
FROM "SOURCE_SQL_STREAM_001";
