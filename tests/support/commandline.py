"""`millstream …` run in the process of the tests: as typed, but without a new interpreter each time."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

from millstream.cli import main

if TYPE_CHECKING:
    from pathlib import Path


class Run(NamedTuple):
    """What a command printed."""

    stdout: str
    stderr: str


class CommandLine:
    """Runs commands in an environment and takes what they print."""

    def __init__(
        self,
        environment: dict[str, str],
        directory: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self._environment = environment
        self._lines_path = directory / "lines"
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: str, lines: str | None = None, fails: bool = False) -> Run:
        """`millstream ARGUMENTS`; `lines` become the last argument, a file. Asserts that it fails, or does not."""
        if lines is not None:
            self._lines_path.write_text(lines)
            arguments = (*arguments, str(self._lines_path))
        self._monkeypatch.setattr(sys, "argv", ["millstream", *arguments])
        for name, value in self._environment.items():
            self._monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as raised:
            main()
        out, err = self._capsys.readouterr()
        assert bool(raised.value.code) == fails, err
        return Run(out, err)
