"""`millstream agent status`: what the running agent says, and what its checkpoints say when none runs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from millstream.agent.checkpoints import CheckpointError, read_all
from millstream.agent.configfile import load_config
from millstream.agent.metrics import DestinationMetrics, FlowMetrics
from millstream.agent.status import Status, count, duration, read_status, size, status_path
from millstream.agent.tail.progress import FileProgress
from millstream.base.units import KIB
from millstream.cli.agentrun import find_config
from millstream.cli.errors import CommandError

_STALE_MS = 60_000
_FILES_SHOWN = 20
_LINE_BYTES_MAX = 64 * KIB


def run_status(config: Path | None, state: Path | None) -> None:
    """Print it. Raises CommandError if no agent has run there."""
    checkpoints = _checkpoints(config, state)
    status = read_status(status_path(checkpoints))
    try:
        progress = read_all(checkpoints)
    except CheckpointError as error:
        if status is None:
            raise CommandError(str(error)) from error
        progress = {}
    console = Console(highlight=False, soft_wrap=True)
    console.print(_headline(status))
    counters = {flow.flow: flow for flow in status.flows} if status else {}
    for flow in sorted({*progress, *counters}):
        console.print(f"\n{flow}", style="bold", markup=False)
        for line in _flow_lines(counters.get(flow)):
            console.print(f"  {line}", markup=False)
        for line in _file_lines(progress.get(flow, [])):
            console.print(f"  {line}", markup=False)
    for destination in status.destinations if status else []:
        console.print(f"\n{destination.destination}", style="bold", markup=False)
        for line in _destination_lines(destination):
            console.print(f"  {line}", markup=False)
    if status and status.warnings:
        console.print("\n[bold]The last warnings[/]")
        for told in status.warnings:
            console.print(f"  {_ago(told.time_ms)}: {told.text}", markup=False)


def _checkpoints(config: Path | None, state: Path | None) -> Path:
    if state is not None:
        return state / "checkpoints"
    return Path(load_config(find_config(config)).config.checkpoint_file)


def _headline(status: Status | None) -> str:
    if status is None:
        return "[yellow]no agent has left a status here[/]: what follows is from the checkpoints"
    age = _ago(status.written_ms)
    if not status.is_running:
        return f"[yellow]stopped[/], {age}"
    if not _is_alive(status.pid):
        return f"[bold red]not running[/], but did not stop by itself; last heard of {age}"
    if _now_ms() - status.written_ms > _STALE_MS:
        return f"[bold red]hangs[/]: process {status.pid} is there, but said nothing since {age}"
    return (
        f"[green]running[/], process {status.pid}, up {duration((_now_ms() - status.started_ms) / 1000)}, as of {age}"
    )


def _flow_lines(counters: FlowMetrics | None) -> Iterator[str]:
    if counters is None:
        return
    yield (
        f"to {counters.destination}; {count(counters.files, 'file')}, {count(counters.records_parsed, 'record')} read "
        f"({size(counters.bytes_read)}), {counters.records_acknowledged:,} delivered, "
        f"{counters.records_rejected:,} rejected, {counters.records_cut:,} cut, {size(counters.bytes_behind)} behind"
        + (f", {size(counters.bytes_lost)} lost" if counters.bytes_lost else "")
    )


def _destination_lines(counters: DestinationMetrics) -> Iterator[str]:
    yield (
        f"{count(counters.records_sent, 'record')} sent ({size(counters.bytes_sent)}) in "
        f"{count(counters.record_send_attempts, 'attempt')}; {counters.record_send_errors:,} record errors, "
        f"{counters.service_errors:,} service errors, {counters.throttles:,} throttled requests"
    )
    if counters.last_error is not None:
        yield f"last error, {_ago(counters.last_error_ms or 0)}: {counters.last_error}"


class _File(NamedTuple):
    """A file's progress, beside what it is now."""

    progress: FileProgress
    size_now: int | None
    """None: what has the path now is another file, or nothing has it."""
    done: int
    behind: int


def _file_lines(files: list[FileProgress]) -> Iterator[str]:
    """Those that are most behind first; files that are gone only if they are."""
    found = [_looked_at(file) for file in _latest(files)]
    shown = [file for file in found if file.behind or file.size_now is not None]
    shown.sort(key=lambda file: (-file.behind, -file.progress.mtime_ns))
    for file in shown[:_FILES_SHOWN]:
        yield _file_line(file)
    if rest := shown[_FILES_SHOWN:]:
        yield f"and {count(len(rest), 'file')} more, {size(sum(file.behind for file in rest))} behind"
    if gone := len(found) - len(shown):
        yield f"and {count(gone, 'file')} gone or rotated away, all of it done"


def _latest(files: list[FileProgress]) -> list[FileProgress]:
    """Without contents that went away when their file was truncated."""
    latest: dict[tuple[int, int], FileProgress] = {}
    for file in sorted(files, key=lambda file: file.file.generation):
        latest[file.file[:2]] = file
    return list(latest.values())


def _looked_at(file: FileProgress) -> _File:
    size_now = _size_now(file)
    done = sum(end - start for start, end in file.done)
    return _File(file, size_now, done, max(0, (file.size if size_now is None else size_now) - done))


def _file_line(file: _File) -> str:
    path = file.progress.path
    if file.size_now is None:
        return f"{path}: gone or rotated away, {file.done:,} of {file.progress.size:,} bytes done"
    behind = f", {size(file.behind)} behind{_why(file)}" if file.behind else ""
    return f"{path}: {file.done:,} of {file.size_now:,} bytes done{behind}"


def _why(file: _File) -> str:
    """Why a file may be behind, and stay so."""
    done = file.progress.done
    if file.behind > _LINE_BYTES_MAX or len(done) > 1:
        return ""
    try:
        with open(file.progress.path, "rb") as content:
            content.seek(done[-1][1] if done else 0)
            return "" if b"\n" in content.read(_LINE_BYTES_MAX) else ": a line that has no end yet"
    except OSError as error:
        return f": cannot be read, {error.strerror}"


def _size_now(file: FileProgress) -> int | None:
    """The file's size, if what has its path now is still this file."""
    try:
        found = os.stat(file.path)
    except OSError:
        return None
    return found.st_size if (found.st_dev, found.st_ino) == file.file[:2] else None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's, but there
    return True


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _ago(time_ms: int) -> str:
    return f"{duration((_now_ms() - time_ms) / 1000)} ago"
