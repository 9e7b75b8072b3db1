-- Conditions: three-valued logic, CASE of both kinds, COALESCE, NULLIF, IN and BETWEEN with nulls, LIKE and SIMILAR TO with escapes.
-- schema: A INTEGER, B INTEGER, T VARCHAR(20)
SELECT STREAM a = b AS eq, a <> b AS ne, a < b AS lt, a >= b AS ge, NOT a = b AS not_eq, a = 1 AND b = 1 AS and_, a = 1 OR b = 1 AS or_,
    (a = b) IS TRUE AS is_true, (a = b) IS NOT TRUE AS is_not_true, (a = b) IS UNKNOWN AS is_unknown, a IS NULL AS is_null, a IS NOT DISTINCT FROM b AS same, a IS DISTINCT FROM b AS differ,
    CASE a WHEN 1 THEN 'one' WHEN 2 THEN 'two' END AS simple, CASE WHEN a > b THEN 'more' WHEN a IS NULL THEN 'none' ELSE 'less' END AS searched,
    COALESCE(a, b, -1) AS co, NULLIF(a, b) AS nullif_, a IN (1, 2) AS in_, a NOT IN (1, 3) AS not_in, a BETWEEN 1 AND b AS betw, a NOT BETWEEN 2 AND 3 AS not_betw,
    GREATEST(a, b) AS great, LEAST(a, b) AS least_,
    t LIKE '50!%%' ESCAPE '!' AS like_esc, t LIKE '_b%' AS like_, t NOT LIKE '%a%' AS not_like, t SIMILAR TO '%(TECH|BIO)%' AS sim, t SIMILAR TO '[a-c]+[[:DIGIT:]]{2}' AS sim_class
FROM "SOURCE_SQL_STREAM_001";
