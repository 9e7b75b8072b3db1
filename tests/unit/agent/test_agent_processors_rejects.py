"""Where rejected records go: the log, now and then, and a file that does not grow for ever."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from millstream.agent.rejects import Rejects, RejectsFile
from millstream.base.clock import ManualClock

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_first_record_is_told_at_once_and_the_others_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    rejects = Rejects("kinesis:s:/var/log/a", clock)
    with caplog.at_level(logging.WARNING, "millstream.agent"):
        rejects(b"x" * 1000, "not good")
        for _ in range(5):
            clock.advance(10_000)
            rejects(b"y", "not good")
        assert len(caplog.messages) == 1
        assert "dropped a record: not good: b'xxx" in caplog.messages[0]
        assert len(caplog.messages[0]) < 300
        clock.advance(10_000)
        rejects(b"y", "bad")
        assert caplog.messages[1:] == ["kinesis:s:/var/log/a: dropped 6 more: not good (5), bad (1)"]
        rejects(b"z", "bad")
        rejects.report()
        assert len(caplog.messages) == 2
        rejects.report(final=True)
        assert caplog.messages[2:] == ["kinesis:s:/var/log/a: dropped 1 more: bad (1)"]
        rejects.report(final=True)
    assert len(caplog.messages) == 3
    assert rejects.total == 8


def test_records_are_kept_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "new" / "rejects.log"
    file = RejectsFile(path)
    rejects = Rejects("f", ManualClock(), file)
    for record in (b"\xff\x00 one\r\n", b"two\nlines\n", b"no line end"):
        rejects(record, "r")
    assert path.read_bytes() == b"\xff\x00 one\r\ntwo\nlines\nno line end\n"
    assert path.stat().st_mode & 0o777 == 0o600
    file.close()
    rejects(b"again\n", "r")
    assert path.read_bytes().endswith(b"no line end\nagain\n")
    file.close()


def test_the_files_are_rotated_by_size_and_the_oldest_is_deleted(tmp_path: Path) -> None:
    path = tmp_path / "rejects.log"
    for number in range(40):  # every record by an agent started anew: the size is that of the file
        file = RejectsFile(path, size_bytes_max=10, old_files=2)
        file.keep(b"%03d\n" % number)
        file.close()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["rejects.log", "rejects.log.1", "rejects.log.2"]
    kept = b"".join((tmp_path / name).read_bytes() for name in ("rejects.log.2", "rejects.log.1", "rejects.log"))
    assert kept == b"".join(b"%03d\n" % number for number in range(34, 40))


def test_without_old_files_there_is_one_file(tmp_path: Path) -> None:
    file = RejectsFile(tmp_path / "r", size_bytes_max=4, old_files=0)
    for record in (b"one\n", b"two\n", b"longer than allowed\n"):
        file.keep(record)
    file.close()
    assert [(found.name, found.read_bytes()) for found in tmp_path.iterdir()] == [("r", b"longer than allowed\n")]


def test_a_file_that_cannot_be_written_is_told_and_nothing_fails(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(b"")
    rejects = Rejects("f", ManualClock(), RejectsFile(tmp_path / "file" / "rejects.log"))
    with caplog.at_level(logging.WARNING, "millstream.agent"):
        rejects(b"a", "r")
        rejects(b"a", "r")
        rejects.report(final=True)
    assert all("1 could not be kept in the rejects file: " in message for message in caplog.messages)
    assert len(caplog.messages) == 2
