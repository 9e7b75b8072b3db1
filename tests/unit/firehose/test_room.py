"""Room for progress: what the worker saves needs no more of the disk than was taken before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from millstream.catalog import SqliteCatalog
from millstream.firehose.room import Room

if TYPE_CHECKING:
    from pathlib import Path

BODY = b"x" * 40_000


def sizes(directory: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in directory.iterdir()}


def test_saves_take_no_more_of_the_disk_than_the_room_has(tmp_path: Path) -> None:
    path = tmp_path / "progress.db"
    room = Room(path)
    room.take()
    taken = sizes(tmp_path)
    saver = SqliteCatalog(path)
    for version in range(300):  # several times what the write-ahead log holds
        saver.put("kind", "", "", "name", BODY, version)
        if version % 100 == 0:  # as one does that is killed
            saver.close()
            saver = SqliteCatalog(path)
        assert sizes(tmp_path) == taken
    saver.close()
    assert sizes(tmp_path) == taken
    room.close()


def test_what_has_its_room_takes_no_more(tmp_path: Path) -> None:
    first, second = Room(tmp_path / "progress.db"), Room(tmp_path / "progress.db")
    first.take()
    taken = sizes(tmp_path)
    second.take()
    assert sizes(tmp_path) == taken
    first.close()
    second.close()


def test_room_that_was_let_go_is_taken_again(tmp_path: Path) -> None:
    path = tmp_path / "progress.db"
    room = Room(path)
    room.take()
    taken = sizes(tmp_path)
    room.close()
    assert sum(sizes(tmp_path).values()) < sum(taken.values())
    again = Room(path)
    again.take()
    assert again.is_taken
    assert sum(sizes(tmp_path).values()) == pytest.approx(sum(taken.values()), rel=0.01)
    again.close()
