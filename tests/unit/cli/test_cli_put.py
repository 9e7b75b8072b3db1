"""`put` gets every record in: in batches that the API takes, failed ones again, in order."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from typing import Any

import pytest

from millstream.cli import put as put_module
from millstream.cli.client import CallError, Unreachable
from millstream.cli.errors import CommandError
from millstream.cli.lines import read_lines
from millstream.cli.progress import progress
from millstream.cli.put import BATCH_BYTES_MAX, Putter, batches, key_maker

Entries = list[dict[str, Any]]


class Shard:
    """Stands for the client: takes `room` records a call, the first ones, and fails the others; or raises."""

    def __init__(self, *rooms: int | Exception) -> None:
        self._rooms = list(rooms)
        self.taken: list[bytes] = []
        self.calls = 0

    async def call(self, operation: str, *, StreamName: str, Records: Entries) -> dict[str, Any]:  # noqa: N803
        self.calls += 1
        room = self._rooms.pop(0) if self._rooms else len(Records)
        if isinstance(room, Exception):
            raise room
        self.taken += [record["Data"] for record in Records[:room]]
        failed = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Rate exceeded"}
        results = [{"SequenceNumber": "1"}] * room + [failed] * (len(Records) - room)
        return {"Records": results[: len(Records)]}


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    async def back_off(_attempt: int) -> None:
        return

    monkeypatch.setattr(put_module, "back_off", back_off)


def entries(count: int) -> Entries:
    return [{"Data": b"%d" % i, "PartitionKey": "k"} for i in range(count)]


def putter(shard: Shard) -> Putter:
    return Putter(shard, "s", lambda _records, _size_bytes: None)  # type: ignore[arg-type]


async def put_all(shard: Shard, *groups: Entries) -> Putter:
    it = putter(shard)
    try:
        for group in groups:
            await it.put(group)
        await it.finish()
    finally:
        await it.abandon()
    return it


async def test_only_what_failed_is_put_again_in_order() -> None:
    shard = Shard(3, 0, 4)
    it = await put_all(shard, entries(10))
    assert shard.taken == [b"%d" % i for i in range(10)]
    assert (it.records, it.retried, shard.calls) == (10, 7 + 7 + 3, 4)


async def test_a_server_that_fails_or_restarts_is_waited_for() -> None:
    shard = Shard(2, CallError("InternalFailure", "disk full"), Unreachable("gone"))
    assert (await put_all(shard, entries(5))).records == 5
    assert shard.taken == [b"0", b"1", b"2", b"3", b"4"]


@pytest.mark.parametrize("error", [CallError("ResourceNotFoundException", "no such stream"), Unreachable("no server")])
async def test_what_cannot_be_helped_ends_it(error: Exception) -> None:
    with pytest.raises(type(error)):
        await put_all(Shard(error, error, error, error, error), *[entries(3)] * 5)


async def test_patience_ends_when_nothing_gets_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(put_module, "PATIENCE_S", -1.0)
    with pytest.raises(CommandError, match="without a record getting in: Rate exceeded"):
        await put_all(Shard(0, 0), entries(3))


async def batched(*lines: list[bytes]) -> list[Entries]:
    async def source() -> AsyncIterator[list[bytes]]:
        for each in lines:
            yield each

    return [batch async for batch in batches(source(), key_maker("k", None))]


async def test_batches_are_what_put_records_takes() -> None:
    sizes = [len(batch) for batch in await batched([b"x"] * 1001)]
    assert sizes == [500, 500, 1]
    large = await batched([b"x" * (BATCH_BYTES_MAX // 2)] * 3 + [b"x" * (2 * BATCH_BYTES_MAX)])
    assert [len(batch) for batch in large] == [1, 1, 1, 1]


async def test_what_is_there_is_not_held_back() -> None:
    assert [len(batch) for batch in await batched([b"a"], [b"b", b"c"])] == [1, 2]


async def test_lines_are_records_without_their_ends() -> None:
    file = io.BytesIO(b"one\ntwo\r\n\n\xff\nlast")
    assert [line async for lines in read_lines(file) for line in lines] == [b"one", b"two", b"\xff", b"last"]


def test_partition_keys() -> None:
    assert key_maker("fixed", None)(b"", 1) == "fixed"
    from_field = key_maker(None, "id")
    assert from_field(b'{"id": "a"}', 1) == "a"
    assert from_field(b'{"id": 7}', 1) == "7"
    random = key_maker(None, None)
    assert random(b"", 1) != random(b"", 2)
    for bad in (b"text", b"[1]", b'{"other": 1}'):
        with pytest.raises(CommandError, match="record 12 is no JSON object with a field 'id'"):
            from_field(bad, 12)


class Terminal(io.StringIO):
    """Standard error that somebody looks at, or nobody."""

    def __init__(self, *, is_seen: bool) -> None:
        super().__init__()
        self._is_seen = is_seen

    def isatty(self) -> bool:
        return self._is_seen


@pytest.mark.parametrize("size_bytes", [None, 10_000])
def test_progress_is_shown_to_who_looks(size_bytes: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for is_seen in (True, False):
        terminal = Terminal(is_seen=is_seen)
        monkeypatch.setattr("sys.stderr", terminal)
        with progress(size_bytes) as show:
            show(500, 5_000)
            show(734, 5_000)
        assert ("1,234 records" in terminal.getvalue()) is is_seen
        assert bool(terminal.getvalue()) is is_seen
