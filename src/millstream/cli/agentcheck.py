"""`millstream agent check`: a configuration in plain words, and what is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from rich.console import Console
from rich.text import Text

from millstream.agent.config import AgentConfig, FlowConfig
from millstream.agent.configfile import ConfigProblems, load_config
from millstream.agent.status import count, duration, size
from millstream.agent.tail.pattern import FilePattern
from millstream.agent.targets import cloudwatch_target, flow_target
from millstream.cli.agentrun import find_config
from millstream.client.errors import ConfigurationError

_FILES_SHOWN = 5
_KEYS = {
    "RANDOM": "random partition keys",
    "DETERMINISTIC": "partition keys made from the data, order of a file kept",
    "FILE": "partition keys made from the file's path, order of a file kept",
}


def run_check(path: Path | None) -> int:
    """Print what the configuration does, its warnings, and its problems; the exit code."""
    path = find_config(path)
    console = Console(highlight=False, soft_wrap=True)
    try:
        config, warnings = load_config(path)
        lines = list(_lines(path, config))
    except ConfigProblems as error:
        lines, warnings, problems = [], error.warnings, error.problems
    except ConfigurationError as error:
        lines, warnings, problems = [], [], [str(error)]
    else:
        problems = []
    for line in lines:
        console.print(line, markup=False)
    for warning in warnings:
        console.print(Text("warning: ", "yellow"), warning, sep="", markup=False)
    for problem in problems:
        console.print(Text("wrong: ", "bold red"), problem, sep="", markup=False)
    if problems:
        console.print(f"{path} cannot be used: {count(len(problems), 'problem')}", markup=False)
        return 1
    console.print(f"{path} can be used", style="green", markup=False)
    return 0


def _lines(path: Path, config: AgentConfig) -> Iterator[str]:
    yield f"{path}: {count(len(config.flows), 'flow')}"
    for i, flow in enumerate(config.flows, 1):
        yield ""
        yield f"{i}. {flow.file_pattern}"
        yield f"   {_destination(config, flow)}"
        for line in chain(_records(flow), _processing(flow), _sending(flow), _files(flow)):
            yield f"   {line}"
    yield ""
    yield f"checkpoints in {config.checkpoint_file}, kept of files that are gone for {_days(config)}"
    yield f"log in {config.log_file or 'standard error'}, level {config.log_level}"
    yield _metrics(config)
    yield ""


def _destination(config: AgentConfig, flow: FlowConfig) -> str:
    target = flow_target(config, flow)
    kind = "delivery stream" if flow.delivery_stream else "data stream"
    return f"to the {kind} {flow.destination} at {target.endpoint} ({target.region})"


def _records(flow: FlowConfig) -> Iterator[str]:
    if flow.multi_line_start_pattern:
        yield f"a record begins with a line that matches {flow.multi_line_start_pattern}"
    else:
        yield "every line is a record"
    if flow.skip_header_lines:
        yield f"left out: {count(flow.skip_header_lines, 'line')} at the beginning of each file"
    if flow.file_footer_pattern:
        yield f"left out: lines that match {flow.file_footer_pattern}"
    yield f"records that are too long are {'cut off' if flow.long_records == 'truncate' else 'split'}"
    if flow.initial_position == "START_OF_FILE":
        yield "files are read from their beginning"
    else:
        yield "files that are there at the first start are read from their end, later ones from their beginning"


def _processing(flow: FlowConfig) -> Iterator[str]:
    if flow.data_processing_options:
        steps = [
            " ".join(str(option[key]) for key in ("optionName", "logFormat") if key in option)
            for option in flow.data_processing_options
        ]
        yield f"processed by {', then '.join(steps)}"
        rejects = f"counted, logged and kept in {flow.rejects_file}" if flow.rejects_file else "counted and logged"
        yield f"what does not fit is {rejects}"


def _sending(flow: FlowConfig) -> Iterator[str]:
    yield (
        f"sent after {duration(flow.max_buffer_age_ms / 1000)}, or when there are "
        f"{count(flow.max_buffer_size_records, 'record')} or {size(flow.max_buffer_size_bytes)}"
    )
    if flow.kinesis_stream:
        yield _KEYS[flow.partition_key_option]
    if flow.aggregation:
        yield "packed in the KPL's format"
    elif flow.delivery_stream and flow.aggregated_record_size_bytes:
        yield f"joined to records of {size(flow.aggregated_record_size_bytes)}"


def _files(flow: FlowConfig) -> Iterator[str]:
    refused: dict[str, str] = {}
    found = sorted(_matching(FilePattern(flow.file_pattern, refused.__setitem__)))
    yield f"{count(len(found), 'file')} now" + (":" if found else "")
    for path in found[:_FILES_SHOWN]:
        yield f"  {path}, {_state(path)}"
    if len(found) > _FILES_SHOWN:
        yield f"  and {len(found) - _FILES_SHOWN:,} more"
    for directory, problem in refused.items():
        yield f"  {directory} {problem}"


def _matching(pattern: FilePattern) -> Iterator[str]:
    for directory in pattern.directories():
        for entry in pattern.entries(directory):
            if pattern.names(entry.name) and os.path.isfile(entry.path):
                yield entry.path


def _state(path: str) -> str:
    try:
        size_bytes = os.stat(path).st_size
    except OSError as error:
        return f"which cannot be used: {error.strerror}"
    return size(size_bytes) if os.access(path, os.R_OK) else "which this user may not read"


def _metrics(config: AgentConfig) -> str:
    if not config.cloudwatch_emit_metrics:
        return "no metrics for CloudWatch"
    every = duration(config.cloudwatch_metrics_buffer_time_ms / 1000)
    return f"metrics for CloudWatch every {every} to {cloudwatch_target(config).endpoint}"


def _days(config: AgentConfig) -> str:
    return count(config.checkpoint_time_to_live_days, "day")
