"""The command `python -m benchmarks`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from benchmarks.agents import measure_agent
from benchmarks.deliveries import measure_deliveries, measure_idle, measure_partitions
from benchmarks.figures import Figures, medians
from benchmarks.install import InstallError
from benchmarks.largelog import plan, run_large_log
from benchmarks.load import LoadError
from benchmarks.machine import describe
from benchmarks.measures import (
    FIREHOSE_MEASUREMENTS,
    KINESIS_MEASUREMENTS,
    Bench,
    Payloads,
    render_payloads,
    run_round,
)
from benchmarks.process import Running, StartError
from benchmarks.queues import measure_queue
from benchmarks.report import Report, ServerReport, markdown
from benchmarks.servers import MILLSTREAM, SERVERS, Server
from benchmarks.sql import FLINK, FLINK_NAME, measure_latency, measure_sql

DATA = Path(__file__).parent.parent / "build" / "benchmarks"
QUICK_SECONDS = 1.0


class Section(StrEnum):
    """What can be measured by itself."""

    KINESIS = "kinesis"  # all servers
    FIREHOSE = "firehose"  # putting, all servers that have one
    DELIVERY = "delivery"  # what the worker makes of a core
    MEMORY = "memory"  # the worker with many partitions, and with nothing to do
    LARGE_LOG = "large-log"
    SQL = "sql"  # beside Flink
    AGENT = "agent"  # and the RabbitMQ connector


def main() -> None:
    """Runs the command."""
    typer.run(run)


def run(
    only: Annotated[list[str] | None, typer.Option(help="Measure only this server; may be repeated.")] = None,
    section: Annotated[list[Section] | None, typer.Option(help="Measure only this; may be repeated.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds that the medians are taken over.")] = 3,
    seconds: Annotated[float, typer.Option(min=0.1, help="Length of each load.")] = 3.0,
    quick: Annotated[bool, typer.Option("--quick", help="One short round, no large log.")] = False,
    log_gib: Annotated[float, typer.Option(help="Size of the large log; 0 for none.")] = 5.0,
    sustain_seconds: Annotated[float, typer.Option(help="Ingest into it for at least so long.")] = 60.0,
    json: Annotated[Path | None, typer.Option(help="Write all figures to this file.")] = None,
    markdown_file: Annotated[Path | None, typer.Option("--markdown", help="Write the tables to this file.")] = None,
) -> None:
    """Measures Millstream and its peers side by side, and prints figures, ratios and goals."""
    if quick:
        rounds, seconds, log_gib = 1, QUICK_SECONDS, 0.0
    names = [server.name for server in SERVERS]
    unknown = set(only or []) - set(names)
    if unknown:
        raise typer.BadParameter(f"unknown server {', '.join(sorted(unknown))}; known are {', '.join(names)}")
    DATA.mkdir(parents=True, exist_ok=True)
    sections = set(section or Section)
    benchmark = _Benchmark([server for server in SERVERS if not only or server.name in only], seconds, sections)
    benchmark.install()
    for number in range(1, rounds + 1):
        benchmark.round(number)
    if MILLSTREAM in benchmark.reports:
        benchmark.worker(rounds)
        if log_gib and Section.LARGE_LOG in sections:
            benchmark.large_log(log_gib, sustain_seconds)
        if Section.SQL in sections:
            benchmark.sql(rounds)
        if Section.AGENT in sections:
            benchmark.agent(rounds)
    report = Report(describe(DATA), rounds, seconds, benchmark.results())
    text = markdown(report)
    print(text)
    if json:
        json.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))
    if markdown_file:
        markdown_file.write_text(text)
    if not any(server.figures for server in report.servers):
        raise typer.Exit(1)


def measurements_of(server: Server, sections: set[Section]) -> list[Callable[[Bench], Figures]]:
    """What a round measures of a server; nothing if it has nothing of the sections."""
    wanted: list[Callable[[Bench], Figures]] = []
    if Section.KINESIS in sections:
        wanted += KINESIS_MEASUREMENTS
    if Section.FIREHOSE in sections and server.has_firehose:
        wanted += FIREHOSE_MEASUREMENTS
    return wanted


class _Benchmark:
    def __init__(self, servers: list[Server], seconds: float, sections: set[Section]) -> None:
        self._sections = sections
        self._servers = [server for server in servers if server.name == MILLSTREAM or measurements_of(server, sections)]
        self.reports = {each.name: ServerReport(each.name, each.version, each.keeps) for each in self._servers}
        self._seconds = seconds
        self._payloads: Payloads = render_payloads()

    def install(self) -> None:
        """Gets the peers that are not there yet; those that cannot be had are left out, with the reason."""
        for server in list(self._servers):
            if server.recipe is None or server.recipe.installed():
                continue
            _say(f"installing {server.name} {server.version}")
            try:
                server.recipe.install()
            except InstallError as error:
                self._fault(server, f"not measured: {error}")
                self._servers.remove(server)

    def round(self, number: int) -> None:
        """Measures every server once, in turn."""
        for server in self._servers:
            measurements = measurements_of(server, self._sections)
            if not measurements:
                continue
            _say(f"round {number}: {server.name}")
            directory = _fresh_directory(server)
            try:
                with Running(server, directory) as running:
                    result = run_round(running, self._payloads, self._seconds, measurements)
            except StartError as error:
                self._fault(server, str(error))
                continue
            finally:
                _remove(directory)
            self.reports[server.name].rounds.append(result.figures)
            for fault in result.faults:
                self._fault(server, fault)

    def large_log(self, log_gib: float, sustain_seconds: float) -> None:
        """Takes Millstream's figures on a large log."""
        server = next(server for server in self._servers if server.name == MILLSTREAM)
        directory = _fresh_directory(server)
        _say(f"a log of {log_gib:g} GiB or more")
        try:
            extent = plan(directory, log_gib, sustain_seconds)
            figures = run_large_log(server, directory, self._payloads, extent, _say)
            self.reports[MILLSTREAM].rounds.append(figures)
        except (LoadError, StartError) as error:
            self._fault(server, f"large log: {error}")
        finally:
            _remove(directory)

    def worker(self, rounds: int) -> None:
        """Takes the figures of Millstream's worker: those of delivery in so many rounds, those of memory once."""
        measures: list[Callable[[Running], Figures]] = []
        if Section.DELIVERY in self._sections:
            measures += [lambda running: measure_deliveries(running, self._seconds)] * rounds
        if Section.MEMORY in self._sections:
            measures += [lambda running: measure_partitions(running, self._seconds), measure_idle]
        for number, measure in enumerate(measures, 1):
            _say(f"worker: {number} of {len(measures)}")
            self._measure(measure)

    def _measure(self, measure: Callable[[Running], Figures]) -> None:
        server = next(server for server in self._servers if server.name == MILLSTREAM)
        directory = _fresh_directory(server)
        try:
            with Running(server, directory) as running:
                self.reports[MILLSTREAM].rounds.append(measure(running))
        except (LoadError, StartError) as error:
            self._fault(server, f"delivery: {error}")
        finally:
            _remove(directory)

    def sql(self, rounds: int) -> None:
        """Takes the figures of SQL, of Millstream and of Flink."""
        flink = ServerReport(FLINK_NAME, FLINK.version, "no")
        self.reports[FLINK_NAME] = flink
        server = next(server for server in self._servers if server.name == MILLSTREAM)
        directory = _fresh_directory(server)
        try:
            for ours, theirs in measure_sql(directory, rounds, _say):
                self.reports[MILLSTREAM].rounds.append(ours)
                flink.rounds.append(theirs)
            with Running(server, _fresh_directory(server)) as running:
                self.reports[MILLSTREAM].rounds.append(measure_latency(running))
        except (LoadError, StartError) as error:
            self._fault(server, f"SQL: {error}")
        finally:
            _remove(directory)

    def agent(self, rounds: int) -> None:
        """Takes the figures of the agent and of the RabbitMQ connector."""
        server = next(server for server in self._servers if server.name == MILLSTREAM)
        logs = _fresh_directory(server)
        try:
            for number in range(1, rounds + 1):
                _say(f"agent: round {number} of {rounds}")
                self._measure(lambda running: measure_agent(running, logs, _say))
                self._measure(lambda running: measure_queue(running, logs, _say))
        finally:
            _remove(logs)

    def results(self) -> list[ServerReport]:
        """The reports with their medians."""
        for report in self.reports.values():
            report.figures = medians(report.rounds)
        return list(self.reports.values())

    def _fault(self, server: Server, text: str) -> None:
        _say(f"{server.name}: {text}")
        faults = self.reports[server.name].faults
        if text not in faults:
            faults.append(text)


def _fresh_directory(server: Server) -> Path:
    return Path(tempfile.mkdtemp(prefix=f"{server.name}-", dir=DATA))


def _remove(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.with_name(directory.name + ".out").unlink(missing_ok=True)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
