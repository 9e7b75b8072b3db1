"""The bytes on disk: logs written by format version 1 must open for ever."""

from __future__ import annotations

from millstream.disk import MemoryDisk
from millstream.disk.port import read_whole
from millstream.log import Batch
from millstream.log.store import LogStore

SEGMENT_V1 = bytes.fromhex(
    "4d53423101060000ffffffff000000000100000029688bd0010000000000000000000000000000000000000000000000"
    "7b68e5cf8b01000000000000e8c617b7804d53423101000000020000000200000014000000daa5496702000000000000"
    "00410000000000000000000000000000007b68e5cf8b010000000000002880603f0200030003000000000000006b316b"
    "32326f6e654d5342310103000005000000010000001b0000006d47ed7d02000000000000009500000000000000000000"
    "00000000007b68e5cf8b010000000000001c5ae933010003000000106b0101010101010101010101010101010174776f"
    "4d5342310102000002000000010000000c00000065d656740300000000000000f0000000000000000200000000000000"
    "c869e5cf8b0100000000000077efb1d60100050000006b7468726565"
)


def written_now() -> bytes:
    disk = MemoryDisk()
    store = LogStore.open(disk, "log")
    store.commit(
        [Batch(2, [b"k1", b"k22"], [b"one", b""]), Batch(5, [b"k"], [b"two"], [b"\x01" * 16])], 1_700_000_000_123
    )
    store.commit([Batch(2, [b"k"], [b"three"])], 1_700_000_000_456)
    store.close()
    return read_whole(disk, "log/00000000000000000000.log")


def test_the_format_has_not_changed() -> None:
    assert written_now().hex() == SEGMENT_V1.hex()


def test_a_version_1_segment_opens() -> None:
    disk = MemoryDisk()
    disk.make_directory("log")
    file = disk.open("log/00000000000000000000.log", create=True)
    file.write([SEGMENT_V1], 0)
    store = LogStore.open(disk, "log")
    runs = store.read(2, 0, records_max=10, bytes_max=1000)
    assert [(run.first_offset, run.arrival_ms, run.keys, run.data) for run in runs] == [
        (0, 1_700_000_000_123, [b"k1", b"k22"], [b"one", b""]),
        (2, 1_700_000_000_456, [b"k"], [b"three"]),
    ]
    assert store.shard_range(5) == (0, 1)
