"""`millstream log check`: verifies logs on this machine, block by block, without changing anything."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from millstream.base.errors import MillstreamError
from millstream.base.units import MIB
from millstream.cli.errors import CommandError
from millstream.disk import RealDisk
from millstream.log.check import SegmentReport, check_directory

_LOGS = ("streams/*", "firehose/*/log", "firehose/*/processed")  # in a data directory


def run_log_check(directory: Path) -> int:
    """Verify the logs in a data directory, or the one log in `directory`; the exit code. Raises CommandError."""
    console = Console(highlight=False, soft_wrap=True)
    first_bad: str | None = None
    totals = [0, 0, 0, 0]
    for log in log_directories(directory):
        totals[0] += 1
        for report in _reports(log):
            totals[1] += 1
            totals[2] += report.blocks
            totals[3] += report.records
            path = log / Path(report.path).name
            console.print(_line(path, report))
            if report.problem is not None and first_bad is None:
                first_bad = f"{path}, byte {report.problem_at:,}: {report.problem}"
    words = ("log", "segment", "block", "record")
    console.print(
        ", ".join(f"{count:,} {word}{'' if count == 1 else 's'}" for count, word in zip(totals, words, strict=True))
    )
    if first_bad is None:
        console.print("[green]every block is intact[/]")
        return 0
    console.print(f"[bold red]first bad block:[/] {first_bad}")
    return 1


def log_directories(directory: Path) -> list[Path]:
    """The logs of a data directory, or the directory itself where it is a log. Raises CommandError if there is none."""
    if not directory.is_dir():
        raise CommandError(f"{directory} is no directory")
    found = [path for pattern in _LOGS for path in sorted(directory.glob(pattern)) if path.is_dir()]
    if found or (directory / "streams").is_dir():
        return found
    if (directory / "catalog.db").exists() or any(directory.glob("*.log")):
        return [directory] if any(directory.glob("*.log")) else []
    raise CommandError(f"{directory} holds no logs: give a server's data directory, or the directory of one log")


def _reports(log: Path) -> list[SegmentReport]:
    try:
        return list(check_directory(RealDisk(log.parent), log.name))
    except MillstreamError as error:
        raise CommandError(f"{log} cannot be checked: {error}") from error


def _line(path: Path, report: SegmentReport) -> str:
    state = "[green]ok[/]" if report.problem is None else f"[red]bad at byte {report.problem_at:,}: {report.problem}[/]"
    return f"{path}  {report.size_bytes / MIB:,.1f} MiB, {report.blocks:,} blocks, {report.records:,} records  {state}"
