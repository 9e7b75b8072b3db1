"""Scratch space on a full disk: what is being delivered goes on in memory."""

from __future__ import annotations

import errno
import io
import os
import tempfile
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from millstream.disk import DiskFull
from millstream.firehose.engine.spool import Spool
from millstream.firehose.errorlines import MEMORY_BYTES_MAX, ErrorLines
from millstream.firehose.scratchfile import ScratchFile

if TYPE_CHECKING:
    from pathlib import Path

ROOM_BYTES = 1_000


class _Full(io.FileIO):
    """A file on a disk with room for ROOM_BYTES, or none for the file itself."""

    def write(self, data: Any) -> int:
        left = ROOM_BYTES - self.tell()
        if left <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(bytes(data)[:left])


def test_a_scratch_file_goes_on_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: _Full(tmp_path / "scratch", "w+"))
    file = ScratchFile(tmp_path)
    for _ in range(2):
        for piece in (b"a" * 900, b"b" * 900, b"c"):
            file.write(piece)
        for _ in range(2):
            assert b"".join(file.pieces()) == b"a" * 900 + b"b" * 900 + b"c"
        assert file.size_bytes == 1801
        file.clear()
        assert list(file.pieces()) == []
    file.close()


def _refuse(number: int, **_: Any) -> Any:
    raise OSError(number, os.strerror(number))


def test_there_is_a_scratch_file_also_where_none_can_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", partial(_refuse, errno.ENOSPC))
    file = ScratchFile(tmp_path)
    file.write(b"a")
    assert list(file.pieces()) == [b"a"]
    file.close()


def test_another_fault_of_the_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", partial(_refuse, errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        ScratchFile(tmp_path)


def test_error_lines_stay_in_memory_until_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append, tries, room = Spool.append, [0], [False]

    def spool(self: Spool, pieces: Any) -> Any:
        tries[0] += 1
        if not room[0]:
            raise DiskFull("no space left on device")
        return append(self, pieces)

    monkeypatch.setattr(Spool, "append", spool)
    lines = ErrorLines(tmp_path)
    added = []
    for number in range(64):
        added.append(b"%d" % number * 10_000 + b"\n")
        room[0] = number >= 50
        lines.add(added[-1])
    assert b"".join(lines.pieces()) == b"".join(added)
    assert sum(map(len, added)) > 4 * MEMORY_BYTES_MAX
    assert tries[0] <= 4
