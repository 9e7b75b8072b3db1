"""The figures that a benchmark yields: what each is called, its unit, which way is better, and their medians."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

Figures = dict[str, float]
"""Figures of one server by the key of their metric; a figure that could not be had is absent."""


class Metric(NamedTuple):
    """One row of the tables. `decimals` are those printed."""

    key: str
    title: str
    unit: str
    more_is_better: bool = True
    decimals: int = 0


ROUND_METRICS = (
    Metric("put_records_1k", "PutRecords, 500 x 1 KiB, 4 connections", "records/s"),
    Metric("put_records_1k_mb", "the same, record data in", "MB/s", decimals=1),
    Metric("put_records_200b", "PutRecords, 500 x 200 B, 4 connections", "records/s"),
    Metric("put_record_64", "PutRecord, 1 KiB, 64 connections", "calls/s"),
    Metric("put_record_p50", "PutRecord, 1 KiB, one connection, p50", "ms", more_is_better=False, decimals=2),
    Metric("put_record_p99", "the same, p99", "ms", more_is_better=False, decimals=2),
    Metric("put_record_batch_1k", "Firehose PutRecordBatch, 500 x 1 KiB, 4 connections", "records/s"),
    Metric("put_record_batch_1k_idle", "the same, while nothing is delivered", "records/s"),
    Metric("get_records_mb", "GetRecords of the same data, 4 connections, data out", "MB/s", decimals=1),
    Metric("get_1000_records_mb", "the same, 1,000 records a call", "MB/s", decimals=1),
    Metric("seek_p50", "GetRecords AT_TIMESTAMP in that log, p50", "ms", more_is_better=False, decimals=2),
    Metric("start", "Start on an empty directory", "s", more_is_better=False, decimals=2),
    Metric("memory", "Peak resident memory of the round", "MiB", more_is_better=False),
)
CPU_METRICS = (
    Metric("put_records_1k_cpu", "PutRecords, 500 x 1 KiB", "us/record", more_is_better=False, decimals=1),
    Metric("put_records_200b_cpu", "PutRecords, 500 x 200 B", "us/record", more_is_better=False, decimals=1),
    Metric("put_record_64_cpu", "PutRecord, 1 KiB, 64 connections", "us/record", False, decimals=0),
    Metric("put_record_batch_1k_cpu", "Firehose PutRecordBatch, 500 x 1 KiB, delivery included", "us/record", False, 1),
    Metric("put_record_batch_1k_idle_cpu", "the same, while nothing is delivered", "us/record", False, decimals=1),
    Metric("get_records_cpu", "GetRecords of 1 KiB records", "us/record", more_is_better=False, decimals=1),
)
GENERATOR_CPU = Metric(
    "generator_cpu", "for comparison, the load generator's in the first", "us/record", False, decimals=1
)
LARGE_LOG_METRICS = (
    Metric("large_seek_p95", "GetRecords AT_TIMESTAMP in a log of 1 GiB, p95", "ms", False, decimals=1),
    Metric("large_seek_max", "the same, the slowest", "ms", False, decimals=1),
    Metric("large_ingest", "PutRecords, 500 x 1 KiB, sustained while the log grew", "records/s"),
    Metric("large_memory", "Peak resident memory meanwhile", "MiB", more_is_better=False),
    Metric("large_gib", "Log at the SIGKILL", "GiB", decimals=1),
    Metric("large_restart", "From the start of the process to its first GetRecords", "s", False, decimals=2),
)
DELIVERY_METRICS = (
    Metric("deliver_plain_mb", "As it is, 1 KiB events", "MB/s"),
    Metric("deliver_gzip_mb", "GZIP", "MB/s"),
    Metric("deliver_snappy_mb", "Snappy", "MB/s"),
    Metric("deliver_parquet_mb", "JSON to Parquet", "MB/s"),
    Metric("deliver_orc_mb", "JSON to ORC", "MB/s"),
    Metric("deliver_gzip_200b", "GZIP, 200 B events", "records/s"),
    Metric("partition_1k", "Dynamic partitioning by one path, 1 KiB events", "records/s"),
    Metric("partition_200b", "the same, 200 B events", "records/s"),
    Metric("partition_program_200b", "the same by a jq program, 200 B events", "records/s"),
)
WORKER_METRICS = (
    Metric("partitions_kib", "1,000 partitions open, buffered in each", "KiB"),
    Metric("partitions_memory", "the worker's peak resident memory then", "MiB", more_is_better=False),
    Metric("partitions_delivered_memory", "the same once they are delivered", "MiB", more_is_better=False),
    Metric("idle_memory", "200 delivery streams without records, resident memory of the worker", "MiB", False),
    Metric("idle_cpu", "the same, CPU of one core", "%", more_is_better=False, decimals=1),
)
SQL_METRICS = (
    Metric("sql_filter", "SQL: filter", "rows/s"),
    Metric("sql_tumbling", "SQL: tumbling count, min, max, avg of 10 s by share", "rows/s"),
    Metric("sql_sliding", "SQL: sliding average of 10 s by share", "rows/s"),
    Metric("sql_filter_core", "filter, by second of CPU", "rows/s"),
    Metric("sql_tumbling_core", "tumbling, by second of CPU", "rows/s"),
    Metric("sql_sliding_core", "sliding, by second of CPU", "rows/s"),
    Metric("sql_filter_memory", "filter, peak resident memory", "MiB", more_is_better=False),
    Metric("sql_tumbling_memory", "tumbling, peak resident memory", "MiB", more_is_better=False),
    Metric("sql_sliding_memory", "sliding, peak resident memory", "MiB", more_is_better=False),
)
"""Of Millstream and of Flink."""
SQL_OWN_METRICS = (
    Metric("sql_half", "Tumbling, over half of the rows", "rows/s"),
    Metric(
        "sql_pumps_1", "One pump of that kind, over a fifth of the rows", "us/row", more_is_better=False, decimals=2
    ),
    Metric("sql_pumps_5", "the same, five pumps", "us/row", more_is_better=False, decimals=2),
    Metric("sql_pumps_20", "the same, twenty pumps", "us/row", more_is_better=False, decimals=2),
    Metric("sql_latency_p50", "From PutRecord to the filtered record in a stream, idle, p50", "ms", False, 1),
    Metric("sql_latency_p99", "the same, p99", "ms", more_is_better=False, decimals=1),
    Metric("sql_times_filter", "Filter, by second of CPU, times Flink", "times", decimals=1),
    Metric("sql_times_tumbling", "Tumbling, by second of CPU, times Flink", "times", decimals=1),
    Metric("sql_times_sliding", "Sliding, by second of CPU, times Flink", "times", decimals=1),
)
AGENT_METRICS = (
    Metric("agent_plain_core", "Plain lines, a record a line, by second of CPU", "MB/s", decimals=1),
    Metric("agent_plain_joined_core", "Plain lines, joined to records of 256 kB, by second of CPU", "MB/s", decimals=1),
    Metric(
        "agent_plain_kpl_core", "Plain lines into a data stream, KPL aggregation, by second of CPU", "MB/s", True, 1
    ),
    Metric("agent_combined_core", "LOGTOJSON of a combined log, a record a line, by second of CPU", "MB/s", True, 1),
    Metric("agent_combined_joined_core", "LOGTOJSON, joined to records of 256 kB, by second of CPU", "MB/s", True, 1),
    Metric("agent_plain_mb", "Plain lines, a record a line, by the clock", "MB/s", decimals=1),
    Metric("agent_plain_joined_mb", "Plain lines, joined, by the clock", "MB/s", decimals=1),
    Metric("agent_plain_kpl_mb", "Plain lines into a data stream, KPL aggregation, by the clock", "MB/s", decimals=1),
    Metric("agent_combined_mb", "LOGTOJSON, a record a line, by the clock", "MB/s", decimals=1),
    Metric("agent_combined_joined_mb", "LOGTOJSON, joined, by the clock", "MB/s", decimals=1),
    Metric("agent_memory", "1,000 files, peak resident memory", "MiB", more_is_better=False),
    Metric("agent_idle", "1,000 files, nothing written, CPU of one core", "%", more_is_better=False, decimals=1),
    Metric("queue_messages", "RabbitMQ to a delivery stream, messages of 500 bytes", "messages/s"),
    Metric("queue_cpu", "the same, the connector's CPU with its start", "us/message", more_is_better=False, decimals=1),
)
ALL_METRICS = {
    metric.key: metric
    for metric in (
        *(*ROUND_METRICS, *CPU_METRICS, GENERATOR_CPU),
        *(*LARGE_LOG_METRICS, *DELIVERY_METRICS, *WORKER_METRICS, *SQL_METRICS, *SQL_OWN_METRICS),
        *AGENT_METRICS,
    )
}


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of `values` that at least `percent` of them do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def medians(rounds: Iterable[Mapping[str, float]]) -> Figures:
    """The median of each figure over the rounds that have it."""
    gathered: dict[str, list[float]] = {}
    for figures in rounds:
        for key, value in figures.items():
            gathered.setdefault(key, []).append(value)
    return {key: statistics.median(values) for key, values in gathered.items()}


def advantage(metric: Metric, ours: Figures, theirs: Figures) -> float | None:
    """How many times better `ours` is than `theirs`; above 1 we are ahead, whichever way is better."""
    if not ours.get(metric.key) or not theirs.get(metric.key):
        return None
    ratio = ours[metric.key] / theirs[metric.key]
    return ratio if metric.more_is_better else 1 / ratio
