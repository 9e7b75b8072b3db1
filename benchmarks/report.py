"""What a run found, as data and as Markdown tables that also read well on a terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from benchmarks.figures import (
    AGENT_METRICS,
    CPU_METRICS,
    DELIVERY_METRICS,
    GENERATOR_CPU,
    LARGE_LOG_METRICS,
    ROUND_METRICS,
    SQL_METRICS,
    SQL_OWN_METRICS,
    WORKER_METRICS,
    Figures,
    Metric,
    advantage,
)
from benchmarks.goals import GOALS, behind
from benchmarks.machine import Machine
from benchmarks.measures import SHARDS
from benchmarks.servers import MILLSTREAM

ABSENT = "-"


class ServerReport(msgspec.Struct):
    """One server's figures: the medians and the rounds behind them; `faults` are what went wrong."""

    name: str
    version: str
    keeps: str
    figures: Figures = {}
    rounds: list[Figures] = []
    faults: list[str] = []


class Report(msgspec.Struct):
    """All that a run found. `rounds` and `seconds` say how it was measured."""

    machine: Machine
    rounds: int
    seconds: float
    servers: list[ServerReport]

    def figures_of(self, name: str) -> Figures:
        """The medians of a server; empty when it was not measured."""
        return next((server.figures for server in self.servers if server.name == name), {})

    def peers(self) -> dict[str, Figures]:
        """The medians of every other server that has any."""
        return {server.name: server.figures for server in self.servers if server.name != MILLSTREAM and server.figures}


def markdown(report: Report) -> str:
    """The whole report."""
    ours = report.figures_of(MILLSTREAM)
    servers = table(["server", "version", "keeps on disk", "remarks"], [_server_row(s) for s in report.servers])
    parts = [*report.machine.sentences(), _method(report), "### Servers", servers]
    if not (ours or report.peers()):
        return "\n\n".join([*parts, "Not one server could be measured."]) + "\n"
    parts += _figures_part("### Figures", report, ROUND_METRICS)
    parts += _figures_part("### Server CPU", report, (*CPU_METRICS, GENERATOR_CPU))
    parts += _figures_part("### SQL, two million ticks", report, SQL_METRICS)
    if ours and report.peers():
        parts += ["### Millstream against each: times better", _ratio_table(report)]
    for title, metrics in _OURS:
        parts += _part(title, ["Millstream", ""], _rows(metrics, [ours]))
    if ours:
        parts += ["### Goals", _goal_table(ours), *_standing(report)]
    return "\n\n".join(parts) + "\n"


def _method(report: Report) -> str:
    rounds = "One round" if report.rounds == 1 else f"Medians of {report.rounds} interleaved rounds"
    return (
        f"{rounds} of {report.seconds:g} s a measurement after a warm-up; {SHARDS} shards; "
        "every server fresh, on an empty directory, in every round."
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with aligned columns: the first to the left, figures to the right."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    numeric = [column > 0 and all(_is_figure(row[column]) for row in rows) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(cells, widths, numeric, strict=True)
        )
        return f"| {' | '.join(padded)} |"

    rules = ["-" * (width - 1) + (":" if right else "-") for width, right in zip(widths, numeric, strict=True)]
    return "\n".join([line(head), f"| {' | '.join(rules)} |", *map(line, rows)])


def cell(metric: Metric, figures: Figures) -> str:
    """A figure as text, or a dash."""
    return f"{figures[metric.key]:,.{metric.decimals}f}" if metric.key in figures else ABSENT


def _is_figure(text: str) -> bool:
    return text == ABSENT or re.fullmatch(r"[\d,]+(\.\d+)?", text) is not None


_OURS = (
    ("### A large log", LARGE_LOG_METRICS),
    ("### Delivery, by second of one core's time", DELIVERY_METRICS),
    ("### The worker's memory", WORKER_METRICS),
    ("### SQL, Millstream alone", SQL_OWN_METRICS),
    ("### The agent and the RabbitMQ connector", AGENT_METRICS),
)
"""What is measured of Millstream alone."""


def _rows(metrics: Sequence[Metric], columns: Sequence[Figures]) -> list[list[str]]:
    """A row for each metric that was measured."""
    return [
        [f"{metric.title} ({metric.unit})", *(cell(metric, figures) for figures in columns)]
        for metric in metrics
        if any(metric.key in figures for figures in columns)
    ]


def _part(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [title, table(head, rows)] if rows else []


def _figures_part(title: str, report: Report, metrics: Sequence[Metric]) -> list[str]:
    measured = [one for one in report.servers if any(metric.key in one.figures for metric in metrics)]
    return _part(title, ["", *(server.name for server in measured)], _rows(metrics, [one.figures for one in measured]))


def _ratio_table(report: Report) -> str:
    ours, peers = report.figures_of(MILLSTREAM), report.peers()
    rows = []
    for metric in (*ROUND_METRICS, *CPU_METRICS):
        factors = [advantage(metric, ours, figures) for figures in peers.values()]
        if not any(factors):
            continue
        texts = [f"{factor:,.2f}" if factor is not None else ABSENT for factor in factors]
        rows.append([f"{metric.title} ({metric.unit})", *texts])
    return table(["", *peers], rows)


def _goal_table(ours: Figures) -> str:
    rows = [[goal.metric.title, goal.wording(), cell(goal.metric, ours), goal.verdict(ours)] for goal in GOALS]
    return table(["figure", "goal", "measured", "verdict"], rows)


def _standing(report: Report) -> list[str]:
    if not report.peers():
        return []
    lines = behind(report.figures_of(MILLSTREAM), report.peers())
    if not lines:
        return ["Ahead of every peer measured in throughput, latency and CPU; starts and memory are for orientation."]
    return ["Not ahead in:", "\n".join(f"- {line}" for line in lines)]


def _server_row(server: ServerReport) -> list[str]:
    return [server.name, server.version or ABSENT, server.keeps, "; ".join(server.faults).replace("|", "/")]
