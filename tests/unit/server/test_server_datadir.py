"""A data directory has one owner at a time, and its root key is made once and kept private."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from millstream.server.datadir import DataDirectory, DataDirectoryError


def test_a_second_server_is_refused_and_told_by_whom(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "data")
    with pytest.raises(DataDirectoryError, match=rf"in use by another server \(process {os.getpid()}\)"):
        DataDirectory(tmp_path / "data")
    directory.close()
    DataDirectory(tmp_path / "data").close()


def test_the_root_key_is_private_and_stays(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path)
    key = directory.root_key()
    assert len(key) == 32
    assert (tmp_path / "root.key").stat().st_mode & 0o777 == 0o600
    directory.close()
    again = DataDirectory(tmp_path)
    assert again.root_key() == key
    again.close()


def test_a_damaged_root_key_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "root.key").write_bytes(b"short")
    directory = DataDirectory(tmp_path)
    with pytest.raises(DataDirectoryError, match=r"root\.key has 5 bytes"):
        directory.root_key()
    assert (tmp_path / "root.key").read_bytes() == b"short"
    directory.close()


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirectoryError, match="file/data"):
        DataDirectory(tmp_path / "file" / "data")


def test_a_full_disk_does_not_keep_a_server_from_starting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", fail)
    directory = DataDirectory(tmp_path)
    with pytest.raises(DataDirectoryError, match="in use"):
        DataDirectory(tmp_path)
    directory.close()
