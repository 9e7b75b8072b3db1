"""The api process reads what the worker has saved, before and while there is a worker."""

from __future__ import annotations

from pathlib import Path

import msgspec

from millstream.catalog import SqliteCatalog
from millstream.disk import MemoryDisk
from millstream.firehose.progress import KIND, Progress
from millstream.server.progressreader import ProgressReader


def test_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "progress.db"
    reader = ProgressReader(MemoryDisk(), path)
    assert reader.read() == {}
    assert not path.exists()
    worker = SqliteCatalog(path)
    for name, position in (("a/main", 1), ("a/backup", 2), ("b/main", 3)):
        worker.put(KIND, "1", "us-east-1", name, msgspec.json.encode(Progress(position)), 0)
    found = {stream_id: {name: each.position for name, each in of.items()} for stream_id, of in reader.read().items()}
    assert found == {"a": {"main": 1, "backup": 2}, "b": {"main": 3}}
    worker.close()


def test_the_end_of_a_journal() -> None:
    disk = MemoryDisk()
    reader = ProgressReader(disk, Path("none"))
    assert reader.journal_end("a") == 0
    disk.make_directory("firehose/a/processed")
    disk.share_number("firehose/a/processed/synced", create=True).store(77)
    assert reader.journal_end("a") == 77
