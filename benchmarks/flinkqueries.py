"""Flink SQL beside our SQL engine; run by `sql` in the environment of PyPI's apache-flink: JSON file in, nothing out.

Usage: python flinkqueries.py QUERY FILE; prints seconds of the job and of CPU of the whole process tree, as JSON.
"""

import json
import os
import sys
import time

from pyflink.table import EnvironmentSettings, TableEnvironment

_TICKS = """CREATE TABLE ticks (TICKER_SYMBOL STRING, SECTOR STRING, `CHANGE` FLOAT, PRICE FLOAT, TS BIGINT,
  ROWTIME_ AS TO_TIMESTAMP_LTZ(TS, 3), WATERMARK FOR ROWTIME_ AS ROWTIME_)
  WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'json')"""
_SINKS = {
    "filter": "TICKER_SYMBOL STRING, SECTOR STRING, `CHANGE` FLOAT, PRICE FLOAT",
    "tumbling": "TICKER_SYMBOL STRING, N BIGINT, LOW FLOAT, HIGH FLOAT, MEAN FLOAT",
    "sliding": "TICKER_SYMBOL STRING, PRICE FLOAT, MEAN FLOAT",
}
_QUERIES = {
    "filter": "SELECT TICKER_SYMBOL, SECTOR, `CHANGE`, PRICE FROM ticks WHERE SECTOR LIKE '%TECH%'",
    "tumbling": """SELECT TICKER_SYMBOL, COUNT(*), MIN(PRICE), MAX(PRICE), AVG(PRICE)
        FROM TABLE(TUMBLE(TABLE ticks, DESCRIPTOR(ROWTIME_), INTERVAL '10' SECOND))
        GROUP BY TICKER_SYMBOL, window_start, window_end""",
    "sliding": """SELECT TICKER_SYMBOL, PRICE, AVG(PRICE) OVER (
        PARTITION BY TICKER_SYMBOL ORDER BY ROWTIME_ RANGE BETWEEN INTERVAL '10' SECOND PRECEDING AND CURRENT ROW)
        FROM ticks""",
}


def main(query: str, path: str) -> None:
    tables = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    tables.get_config().set("parallelism.default", "1")
    tables.execute_sql(_TICKS.format(path=path))
    tables.execute_sql(f"CREATE TABLE results ({_SINKS[query]}) WITH ('connector' = 'blackhole')")
    began_cpu_s, began_s = _cpu_s(), time.perf_counter()
    tables.execute_sql(f"INSERT INTO results {_QUERIES[query]}").wait()
    taken = {"seconds": time.perf_counter() - began_s, "cpu_seconds": _cpu_s() - began_cpu_s}
    print(json.dumps(taken | {"memory_mib": _memory_mib()}))


def _cpu_s() -> float:
    """CPU of this process and of the Java processes that it started."""
    ticks = sum(int(fields[11]) + int(fields[12]) for fields in _stats())
    return ticks / os.sysconf("SC_CLK_TCK")


def _memory_mib() -> float:
    """Their resident memory now."""
    return sum(int(fields[21]) for fields in _stats()) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def _stats() -> list[list[str]]:
    """The fields of /proc/PID/stat behind the name, of this process and all below it."""
    known = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as file:
                known[int(name)] = file.read().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
    mine, found = {os.getpid()}, 0
    while len(mine) != found:
        found = len(mine)
        mine |= {pid for pid, fields in known.items() if int(fields[1]) in mine}
    return [known[pid] for pid in mine if pid in known]


if __name__ == "__main__":
    main(*sys.argv[1:])
