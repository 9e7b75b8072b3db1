"""The figures that Millstream has promised, and whether a run kept them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from benchmarks.figures import ALL_METRICS, Figures, Metric, advantage

COMPARED = (
    "put_records_1k",
    "put_records_200b",
    "put_record_64",
    "put_record_p50",
    "get_records_mb",
    "get_1000_records_mb",
    "put_records_1k_cpu",
    "put_records_200b_cpu",
    "put_record_64_cpu",
    "get_records_cpu",
    "put_record_batch_1k",
    "put_record_batch_1k_cpu",
)
"""The metrics in which Millstream is to be ahead of every peer."""


class Goal(NamedTuple):
    """A bound on one metric; the metric says whether figures are to be above or below it."""

    key: str
    bound: float
    log_gib_min: float = 0.0

    @property
    def metric(self) -> Metric:
        return ALL_METRICS[self.key]

    def wording(self) -> str:
        """The bound in words."""
        return f"{'at least' if self.metric.more_is_better else 'at most'} {self.bound:,g} {self.metric.unit}"

    def verdict(self, figures: Figures) -> str:
        """`met`, `missed`, or `not measured`."""
        if self.key not in figures or figures.get("large_gib", 0.0) < self.log_gib_min:
            return "not measured"
        value = figures[self.key]
        return "met" if (value >= self.bound) == self.metric.more_is_better or value == self.bound else "missed"


GOALS = (
    Goal("put_records_1k", 100_000),
    Goal("put_records_1k_cpu", 8),
    Goal("put_records_200b", 180_000),
    Goal("put_record_64", 8_000),
    Goal("put_record_p50", 1.5),
    Goal("get_records_mb", 150),
    Goal("put_record_batch_1k", 80_000),
    Goal("put_record_batch_1k_idle", 80_000),
    Goal("large_seek_p95", 10, log_gib_min=1),
    Goal("large_restart", 3, log_gib_min=5),
    Goal("large_memory", 300),
    Goal("deliver_gzip_mb", 150),
    Goal("deliver_parquet_mb", 50),
    Goal("partition_1k", 150_000),
    Goal("partition_200b", 150_000),
    Goal("partitions_memory", 500),
    Goal("sql_filter", 900_000),
    Goal("sql_tumbling", 800_000),
    Goal("sql_sliding", 250_000),
    Goal("sql_times_filter", 2),
    Goal("sql_times_tumbling", 3),
    Goal("sql_times_sliding", 3),
    Goal("sql_latency_p50", 250),
    Goal("agent_plain_joined_core", 60),
    Goal("agent_plain_core", 60),
    Goal("agent_combined_joined_core", 40),
    Goal("agent_combined_core", 40),
    Goal("agent_memory", 150),
    Goal("queue_messages", 20_000),
)


def behind(ours: Figures, peers: Mapping[str, Figures]) -> list[str]:
    """Where Millstream is not ahead of a peer, in words; empty when it is ahead everywhere."""
    found = []
    for key in COMPARED:
        metric = ALL_METRICS[key]
        for name, figures in peers.items():
            factor = advantage(metric, ours, figures)
            if factor is not None and factor <= 1:
                found.append(f"{metric.title} ({metric.unit}): {factor:.2f} times {name}")
    return found
