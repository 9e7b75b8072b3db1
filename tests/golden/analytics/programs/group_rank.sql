SELECT STREAM "groupRank", symbol, price FROM TABLE(GROUP_RANK(
    CURSOR(SELECT STREAM symbol, AVG(price) AS price FROM ticks GROUP BY symbol, STEP(ticks.ROWTIME BY INTERVAL '10' SECOND)),
    'PRICE', 'groupRank', 'desc', 'asc', 10, 0));
