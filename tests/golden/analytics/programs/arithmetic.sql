SELECT STREAM a + b * c - -d / 2, (a + b) * c, .5 * a, 1.5E-3, X'0aff', MOD(a, 10), POWER(a, 2) + LN(b), a - b - c, N'text', a * b / c FROM s;
