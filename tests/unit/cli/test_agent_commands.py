"""`millstream agent check` and `status`: what a configuration does and how far an agent is, in plain words."""

from __future__ import annotations

import json
import logging
import os
import time
from pathlib import Path
from typing import Any

import pytest

from millstream.agent.checkpoints import Checkpoints
from millstream.agent.config import AgentConfig
from millstream.agent.configfile import load_config
from millstream.agent.logsetup import RecentWarnings
from millstream.agent.metrics import Metrics
from millstream.agent.records import FileId
from millstream.agent.status import StatusReporter
from millstream.agent.tail.progress import FileProgress
from millstream.base.clock import ManualClock
from support.commandline import CommandLine


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    for variable in ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "MILLSTREAM_ENDPOINT"):
        monkeypatch.delenv(variable, raising=False)
    return CommandLine({}, tmp_path, monkeypatch, capsys)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    directory = tmp_path / "logs"
    directory.mkdir()
    (directory / "[a].log").write_bytes(b"x" * 2048)
    (directory / "b.log").write_bytes(b"")
    (directory / "c.log.gz").write_bytes(b"x")
    return directory


def written(directory: Path, **document: Any) -> Path:
    path = directory / "agent.json"
    path.write_text(json.dumps({"checkpointFile": str(directory / "state" / "checkpoints"), **document}))
    return path


def test_check_says_what_a_configuration_does(command: CommandLine, logs: Path, tmp_path: Path) -> None:
    path = written(
        tmp_path,
        flows=[
            {
                "filePattern": f"{logs}/*.log",
                "deliveryStream": "web",
                "aggregatedRecordSizeBytes": 102400,
                "skipHeaderLines": 1,
                "dataProcessingOptions": [
                    {"optionName": "SINGLELINE"},
                    {"optionName": "LOGTOJSON", "logFormat": "COMMONAPACHELOG"},
                ],
                "rejectsFile": f"{tmp_path}/rejects",
            },
            {
                "filePattern": f"{logs}/none-*",
                "kinesisStream": "ticks",
                "partitionKeyOption": "FILE",
                "aggregation": True,
                "longRecords": "split",
                "initialPosition": "START_OF_FILE",
                "multiLineStartPattern": "\\[[0-9]",
                "aggregaton": 1,
            },
        ],
    )
    out = command("agent", "check", str(path)).stdout
    assert out.splitlines() == [
        f"{path}: 2 flows",
        "",
        f"1. {logs}/*.log",
        "   to the delivery stream web at http://127.0.0.1:4566 (us-east-1)",
        "   every line is a record",
        "   left out: 1 line at the beginning of each file",
        "   records that are too long are cut off",
        "   files that are there at the first start are read from their end, later ones from their beginning",
        "   processed by SINGLELINE, then LOGTOJSON COMMONAPACHELOG",
        f"   what does not fit is counted, logged and kept in {tmp_path}/rejects",
        "   sent after 1 min, or when there are 500 records or 4.0 MiB",
        "   joined to records of 100.0 KiB",
        "   2 files now:",
        f"     {logs}/[a].log, 2.0 KiB",
        f"     {logs}/b.log, 0 B",
        "",
        f"2. {logs}/none-*",
        "   to the data stream ticks at http://127.0.0.1:4566 (us-east-1)",
        "   a record begins with a line that matches \\[[0-9]",
        "   records that are too long are split",
        "   files are read from their beginning",
        "   sent after 1 min, or when there are 500 records or 5.0 MiB",
        "   partition keys made from the file's path, order of a file kept",
        "   packed in the KPL's format",
        "   0 files now",
        "",
        f"checkpoints in {tmp_path}/state/checkpoints, kept of files that are gone for 7 days",
        "log in standard error, level INFO",
        "metrics for CloudWatch every 30 s to http://127.0.0.1:4566",
        "",
        "warning: flows[1].aggregaton: is no key that is known, and ignored; did you mean aggregation?",
        f"{path} can be used",
    ]


def test_check_says_all_that_is_wrong(command: CommandLine, tmp_path: Path) -> None:
    path = written(tmp_path, flows=[{"filePattern": "/x[/y]"}, {"kinesisStream": "s", "skipHeaderLines": -1}], zzz=1)
    out = command("agent", "check", str(path), fails=True).stdout
    assert out.splitlines() == [
        "warning: zzz: is no key that is known, and ignored",
        "wrong: flows[0]: goes nowhere: name a deliveryStream or a kinesisStream",
        "wrong: flows[1].skipHeaderLines: -1 must be 0 to 1,000,000",
        "wrong: flows[1].filePattern: is missing: which files, as in /var/log/app/*.log",
        f"{path} cannot be used: 3 problems",
    ]


def test_check_looks_where_configurations_are(
    command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "millstream.cli.agentrun.DEFAULT_CONFIGS", (tmp_path / "etc" / "agent.json", Path("agent.json"))
    )
    monkeypatch.chdir(tmp_path)
    assert "name a configuration with --config FILE" in command("agent", "check", fails=True).stderr
    written(tmp_path, flows=[{"filePattern": "/x", "kinesisStream": "s"}])
    assert command("agent", "check").stdout.startswith("agent.json: 1 flow\n")


def test_check_refuses_an_endpoint_that_is_none(
    command: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nonsense://")
    path = written(tmp_path, flows=[{"filePattern": "/x", "kinesisStream": "s"}])
    assert "wrong: the endpoint 'nonsense://' is no URL" in command("agent", "check", str(path), fails=True).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["agent", "--config", "/no/such.json"], "/no/such.json cannot be used:\n  /no/such.json cannot be read"),
        (
            ["agent", "status", "--state", "/no/such"],
            "there is no checkpoint file /no/such/checkpoints: no agent has run",
        ),
    ],
)
def test_what_cannot_be_done_is_said(command: CommandLine, arguments: list[str], message: str) -> None:
    assert command(*arguments, fails=True).stderr.startswith(f"millstream: {message}")


class Ran:
    """What an agent left behind that followed two files of a flow."""

    def __init__(self, directory: Path, logs: Path) -> None:
        self.path = written(directory, flows=[{"filePattern": f"{logs}/*.log", "deliveryStream": "web"}])
        self.config: AgentConfig = load_config(self.path).config
        self.flow = self.config.flows[0]
        self.clock = ManualClock(time.time_ns() // 1_000_000)
        checkpoints = Checkpoints(Path(self.config.checkpoint_file), self.clock)
        (there, gone) = (logs / "[a].log", logs / "gone.log")
        found = there.stat()
        file = FileId(found.st_dev, found.st_ino)
        checkpoints.save(
            self.flow.flow_id,
            [
                FileProgress(file, str(there), ((0, 1000), (1500, 1600)), 1600, found.st_mtime_ns, b""),
                FileProgress(FileId(1, 1), str(gone), ((0, 70),), 80, 1, b""),
            ],
        )
        checkpoints.close()

    def report(self, *, is_running: bool = True) -> None:
        metrics = Metrics(self.config.flows)
        metrics.of_flow(self.flow).records_parsed = 1234
        metrics.of_destination(self.flow).note_error("no such [stream]", self.clock.now_ms())
        StatusReporter(self.config, metrics, self.clock).write(is_running=is_running)


@pytest.fixture
def ran(tmp_path: Path, logs: Path) -> Ran:
    return Ran(tmp_path, logs)


FILE_LINES = [
    "  {logs}/[a].log: 1,100 of 2,048 bytes done, 948 B behind",
    "  {logs}/gone.log: gone or rotated away, 70 of 80 bytes done",
]


def test_status_without_an_agent_is_that_of_the_checkpoints(command: CommandLine, ran: Ran, logs: Path) -> None:
    assert command("agent", "status", "--config", str(ran.path)).stdout.splitlines() == [
        "no agent has left a status here: what follows is from the checkpoints",
        "",
        f"fh:web:{logs}/*.log",
        *(line.format(logs=logs) for line in FILE_LINES),
    ]


def test_status_of_a_running_agent(command: CommandLine, ran: Ran, logs: Path) -> None:
    ran.report()
    state = Path(ran.config.checkpoint_file).parent
    lines = command("agent", "status", "--state", str(state)).stdout.splitlines()
    assert lines[0].startswith(f"running, process {os.getpid()}, up ")
    assert lines[3] == (
        "  to DeliveryStream:web; 0 files, 1,234 records read (0 B), 0 delivered, 0 rejected, 0 cut, 0 B behind"
    )
    assert lines[4:6] == [line.format(logs=logs) for line in FILE_LINES]
    assert lines[7] == "DeliveryStream:web"
    assert lines[9].startswith("  last error, ")
    assert lines[9].endswith(" ago: no such [stream]")


def test_status_shows_contents_that_are_gone_only_if_they_are_not_done(
    command: CommandLine, ran: Ran, logs: Path
) -> None:
    """A truncated file is not behind with what it had before; a rotated one that is done is only counted."""
    found = (logs / "b.log").stat()
    here = FileId(found.st_dev, found.st_ino)
    checkpoints = Checkpoints(Path(ran.config.checkpoint_file), ran.clock)
    path = str(logs / "b.log")
    old = FileProgress(here, path, ((0, 10),), 50, 1, b"")
    done = FileProgress(FileId(1, 2), f"{path}.1", ((0, 70),), 70, 1, b"")
    checkpoints.save(ran.flow.flow_id, [old, old._replace(file=here._replace(generation=1), done=()), done])
    checkpoints.close()
    (logs / "b.log").write_bytes(b"begun")
    assert command("agent", "status", "--config", str(ran.path)).stdout.splitlines()[3:] == [
        *(line.format(logs=logs) for line in FILE_LINES),
        f"  {path}: 0 of 5 bytes done, 5 B behind: a line that has no end yet",
        "  and 1 file gone or rotated away, all of it done",
    ]


def test_status_shows_the_last_warnings_of_the_log(
    command: CommandLine, ran: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("millstream.agent.status.RECENT", recent := RecentWarnings())
    log = logging.Logger("agent")
    log.addHandler(recent)
    log.info("not shown")
    for i in range(12):
        log.warning("/log/[a]\udcff.log: cannot be read (%d)", i)
    ran.report()
    lines = command("agent", "status", "--config", str(ran.path)).stdout.splitlines()
    at = lines.index("The last warnings")
    assert lines[at + 1] == "  0 s ago: /log/[a]?.log: cannot be read (2)"
    assert len(lines) == at + 11


def test_status_tells_how_an_agent_ended(command: CommandLine, ran: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    def headline() -> str:
        return command("agent", "status", "--config", str(ran.path)).stdout.splitlines()[0]

    ran.clock.advance(-125_000)
    ran.report()
    assert headline().startswith(f"hangs: process {os.getpid()} is there, but said nothing since 2 min")
    monkeypatch.setattr("os.getpid", lambda: 2**22 + 1)  # above the kernel's highest
    ran.report()
    assert headline().startswith("not running, but did not stop by itself; last heard of 2 min")
    ran.report(is_running=False)
    assert headline().startswith("stopped, 2 min")
