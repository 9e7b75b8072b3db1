"""The command line: every setting is an option, and every error is one line on standard error."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

import pytest

from millstream import __version__
from millstream.cli import main
from millstream.cli.app import up
from millstream.cli.up import banner, program
from millstream.server import Settings, Started
from millstream.server.config import SETTINGS


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit code of `millstream ARGUMENTS`."""
    monkeypatch.setattr(sys, "argv", ["millstream", *arguments])
    with pytest.raises(SystemExit) as raised:
        main()
    return int(raised.value.code or 0)


def test_every_setting_is_an_option_of_up() -> None:
    assert set(inspect.signature(up).parameters) == {*SETTINGS, "config"}


def test_the_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"millstream {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["up", "--port", "x"], "--port: 'x' is not allowed; it must be a whole number from 0 to 65535"),
        (["up", "--host", "0.0.0.0"], "host 0.0.0.0 is reachable from other machines"),
        (["up", "--config", "/no/such.toml"], "/no/such.toml: No such file or directory"),
        (["put", "s", "--file", "/no/such"], "/no/such: No such file or directory"),
        (["put", "s", "data", "--endpoint", "nowhere"], "the endpoint 'nowhere' is no URL"),
        (["tail", "s", "--from", "once"], "--from 'once' is not allowed"),
        (["log", "check", "/no/such"], "/no/such is no directory"),
    ],
)
def test_errors_are_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert run(monkeypatch, *arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"millstream: {message}")


@pytest.mark.parametrize("arguments", [["--file", "x"], ["-k", "x", "--key-field", "y"]])
def test_options_that_exclude_each_other_are_wrong_usage(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    assert run(monkeypatch, "put", "s", "data", *arguments) == 2


def test_an_interrupt_is_quiet(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("millstream.cli.app.app", interrupted)
    assert run(monkeypatch) == 130
    assert capsys.readouterr().err == ""


def test_the_banner_says_what_to_set_and_what_to_try() -> None:
    started = Started("http://127.0.0.1:4566", Path("/data"), 1, None)
    shown = banner(Settings(demo=True), started, ".venv/bin/millstream")
    assert "export AWS_ENDPOINT_URL=http://127.0.0.1:4566" in shown
    assert "  [green].venv/bin/millstream tail kinesis-analytics-demo-stream" in shown
    assert "AWS_CA_BUNDLE" not in shown
    assert "AWS_CA_BUNDLE=/data/tls/cert.pem" in banner(
        Settings(), started._replace(certificate=Path("/data/tls/cert.pem")), "millstream"
    )


def test_the_banner_of_the_demo_has_a_query_for_its_lake() -> None:
    started = Started("http://127.0.0.1:4566", Path("/data"), 1, None)
    assert "'/data/objects/demo-lake/ticks/*/*.parquet'" in banner(Settings(demo=True), started, "millstream")
    assert "demo-lake" not in banner(Settings(), started, "millstream")
    assert "demo-lake" not in banner(Settings(demo=True, object_store="s3://"), started, "millstream")


def test_commands_to_try_can_be_copied(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    command = tmp_path / ".venv" / "bin" / "millstream"
    command.parent.mkdir(parents=True)
    command.touch(mode=0o755)
    monkeypatch.setattr(sys, "argv", [str(command), "up"])
    monkeypatch.setenv("PATH", "/bin")
    assert program() == str(command)
    monkeypatch.chdir(tmp_path)
    assert program() == ".venv/bin/millstream"
    monkeypatch.setenv("PATH", str(command.parent))
    assert program() == "millstream"
