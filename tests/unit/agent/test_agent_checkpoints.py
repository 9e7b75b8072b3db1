"""Checkpoints: what is saved is loaded, and files that cannot be used are refused with a word of help."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from millstream.agent.checkpoints import CheckpointError, Checkpoints, read_all
from millstream.agent.records import FileId
from millstream.agent.tail import FileProgress
from millstream.base.clock import ManualClock

BIG = 2**64 - 3
PROGRESS = FileProgress(FileId(BIG, 2**63, 4), "/log/a\udcff.log", ((0, 10), (20, 30)), 99, 123456789, b"\x00\xff")


def test_what_is_saved_is_loaded_by_flow(tmp_path: Path) -> None:
    path = tmp_path / "state" / "checkpoints"
    checkpoints = Checkpoints(path)
    assert checkpoints.load("f") is None
    checkpoints.save("f", [])
    assert checkpoints.load("f") == {}
    checkpoints.save("f", [PROGRESS])
    more = PROGRESS._replace(done=((0, 99),))
    checkpoints.save("f", [more])
    checkpoints.save("g\ud800", [PROGRESS])
    checkpoints.close()
    again = Checkpoints(path)
    assert again.load("f") == {more.file: more}
    assert again.load("g\ud800") == {PROGRESS.file: PROGRESS}
    assert again.load("h") is None
    again.close()


def test_the_files_are_for_the_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        checkpoints = Checkpoints(tmp_path / "c")
        checkpoints.save("f", [PROGRESS])
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    finally:
        os.umask(before)
    checkpoints.close()
    assert set(modes) >= {"c", "c-wal", "c.lock"}
    assert set(modes.values()) == {0o600}


def test_what_is_not_saved_again_expires(tmp_path: Path) -> None:
    clock = ManualClock()
    checkpoints = Checkpoints(tmp_path / "c", clock)
    other = PROGRESS._replace(file=FileId(1, 2))
    checkpoints.save("f", [PROGRESS, other])
    clock.advance(4 * 86_400_000)
    checkpoints.save("f", [other])
    clock.advance(4 * 86_400_000)
    checkpoints.expire(7)
    assert checkpoints.load("f") == {other.file: other}
    checkpoints.expire(1)
    assert checkpoints.load("f") == {}
    checkpoints.close()


def test_two_agents_do_not_share_a_file(tmp_path: Path) -> None:
    first = Checkpoints(tmp_path / "c")
    with pytest.raises(CheckpointError, match="another agent is running"):
        Checkpoints(tmp_path / "c")
    first.close()
    Checkpoints(tmp_path / "c").close()


def test_others_can_read_while_an_agent_runs_and_after(tmp_path: Path) -> None:
    path = tmp_path / "c d?e"
    with pytest.raises(CheckpointError, match="no agent has run"):
        read_all(path)
    checkpoints = Checkpoints(path)
    checkpoints.save("f", [PROGRESS])
    checkpoints.save("g", [])
    assert read_all(path) == {"f": [PROGRESS], "g": []}
    checkpoints.close()
    assert read_all(path) == {"f": [PROGRESS], "g": []}


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE FILE_CHECKPOINTS (flow TEXT)")
    database.close()
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match=r"another program's database.*checkpointFile"):
        Checkpoints(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"not a database at all, not in the least" * 20, b"SQLite format 3\x00" + b"\xff" * 500]
)
def test_a_damaged_file_is_refused_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "c"
    path.write_bytes(content)
    for opened in (Checkpoints, read_all):
        with pytest.raises(CheckpointError, match=r"is damaged.*move it away"):
            opened(path)
    path.unlink()
    Checkpoints(path).close()


def test_a_damaged_row_is_refused(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "c")
    checkpoints.save("f", [PROGRESS])
    with sqlite3.connect(tmp_path / "c") as database:
        database.execute("UPDATE files SET done = 'x'")
    database.close()
    with pytest.raises(CheckpointError, match="is damaged"):
        checkpoints.load("f")
    checkpoints.close()


def test_a_later_layout_is_refused(tmp_path: Path) -> None:
    Checkpoints(tmp_path / "c").close()
    with sqlite3.connect(tmp_path / "c") as database:
        database.execute("PRAGMA user_version = 2")
    database.close()
    with pytest.raises(CheckpointError, match="layout 2, this agent knows 1"):
        Checkpoints(tmp_path / "c")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match=r"cannot write the checkpoint file.*checkpointFile"):
        Checkpoints(tmp_path / "file" / "c")
    (tmp_path / "directory").mkdir()
    with pytest.raises(CheckpointError, match="cannot use the checkpoint file"):
        Checkpoints(tmp_path / "directory")


def test_a_file_that_is_deleted_while_it_is_open_is_written_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "c"
    checkpoints = Checkpoints(path)
    checkpoints.save("f", [PROGRESS])
    path.unlink()
    checkpoints.save("g", [PROGRESS])
    checkpoints.save("h", [PROGRESS])
    checkpoints.close()
    assert caplog.messages == [f"the checkpoint file {path} was deleted while the agent ran; it has been written anew"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(read_all(path)) == {"f", "g", "h"}
    again = Checkpoints(path)
    assert again.load("f") == {PROGRESS.file: PROGRESS}
    again.close()
