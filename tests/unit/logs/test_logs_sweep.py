"""Pages of events against a model that sorts everything: any order of arrival, any page, either direction."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from millstream.base.clock import ManualClock
from millstream.log import Batch, RecordRun
from millstream.logs import chunks, sweep
from millstream.logs.chunks import StreamIndex
from millstream.logs.events import Place, event_id, keys_of, place_of
from millstream.logs.pieces import PieceCache, PieceReader
from millstream.logs.sweep import Limits, Page, Range
from support.memory_log import MemoryLog

START_MS = 1_700_000_000_000
EVERYTHING = Range(Place(0, 0, 0, 0), Place(10**13 - 1, 0, 0, 0))


class World:
    """A log with some log streams, their indexes, and what a reader ought to see."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.clock = ManualClock(START_MS)
        self.log = MemoryLog(self.clock)
        self.reader = PieceReader(self.log, PieceCache(20_000))
        self.indexes = {shard: StreamIndex(shard) for shard in range(self.random.choice([1, 2, 5]))}
        self.events: list[tuple[Place, str]] = []

    async def put(self) -> None:
        """A batch in order of its times, which are about now, or long ago, or all the same."""
        choose = self.random
        shard = choose.choice(list(self.indexes))
        late_ms = choose.choice([0, 0, 0, 500, 3_600_000])
        spread_ms = choose.choice([0, 10, 5_000])
        now_ms = self.clock.now_ms()
        times_ms = sorted(now_ms - late_ms + choose.randint(0, spread_ms) for _ in range(choose.randint(1, 30)))
        messages = [f"{shard} {n} {'x' * choose.randint(0, 300)}" for n in range(len(times_ms))]
        data = [message.encode() for message in messages]
        ((first, arrival_ms),) = await self.log.append([Batch(shard, keys_of(times_ms), data)])
        self.indexes[shard].note(first, times_ms, sum(map(len, data)), arrival_ms)
        places = (Place(time_ms, arrival_ms, shard, first + n) for n, time_ms in enumerate(times_ms))
        self.events += zip(places, messages, strict=True)
        self.clock.advance(choose.randint(0, 2_000))

    def page(self, wanted: Range, limits: Limits, *, forward: bool, text: str = "") -> Page:
        start_ms, end_ms = wanted.start.time_ms, wanted.end.time_ms + 1
        found = [chunk for index in self.indexes.values() for chunk in index.chunks(start_ms, end_ms)]
        matches = (lambda message: text in message) if text else None
        return sweep.sweep(self.reader, found, wanted, forward=forward, matches=matches, limits=limits)

    def pages(self, wanted: Range, limits: Limits, *, forward: bool, text: str = "") -> Iterator[Page]:
        left: Range | None = wanted
        while left is not None:
            page = self.page(left, limits, forward=forward, text=text)
            yield page
            left = page.left

    def expected(self, wanted: Range, *, forward: bool, text: str = "") -> list[tuple[Place, str]]:
        found = [event for event in self.events if wanted.start <= event[0] < wanted.end and text in event[1]]
        return sorted(found, reverse=not forward)


@pytest.fixture(params=range(6))
async def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(chunks, "GRAIN_BYTES", 2_000)
    monkeypatch.setattr(chunks, "GRAIN_BYTES_MAX", 8_000)
    monkeypatch.setattr(chunks, "CHUNKS_MAX", 16)
    world = World(request.param)
    for _ in range(50):
        await world.put()
    return world


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("scan_bytes", [sweep.SCAN_BYTES_MAX, 5_000])
async def test_pages_join_to_all_events_in_order(
    world: World, forward: bool, scan_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "SCAN_BYTES_MAX", scan_bytes)
    choose = world.random
    for _ in range(3):
        limits = Limits(choose.choice([9, 100, 10_000]), choose.choice([500, 5_000, sweep.PAGE_BYTES_MAX]))
        times = sorted(choose.choice(world.events)[0].time_ms for _ in range(2))
        wanted = choose.choice([EVERYTHING, Range(*(Place(time_ms, 0, 0, 0) for time_ms in times))])
        text = choose.choice(["", "0 3", "nowhere"])
        pages = list(world.pages(wanted, limits, forward=forward, text=text))
        found = [(event.place, event.message) for page in pages for event in page.events]
        assert found == world.expected(wanted, forward=forward, text=text)
        for page in pages:
            assert len(page.events) <= limits.events_max
            assert len(page.events) == 1 or sum(event.size_bytes for event in page.events) <= limits.bytes_max


async def test_a_saved_index_is_the_same_index(world: World) -> None:
    expected = [list(index.chunks(0, 10**13)) for index in world.indexes.values()]
    world.indexes = {shard: StreamIndex.from_image(shard, index.image()) for shard, index in world.indexes.items()}
    assert [list(index.chunks(0, 10**13)) for index in world.indexes.values()] == expected
    await world.put()
    (page,) = world.pages(EVERYTHING, Limits(bytes_max=1 << 30), forward=True)
    assert [event.place for event in page.events] == [place for place, _ in world.expected(EVERYTHING, forward=True)]


async def test_an_index_stays_small_and_sums_up(world: World) -> None:
    for index in world.indexes.values():
        found = list(index.chunks(0, 10**13))
        assert len(found) <= 16 + 2 * index.stored_bytes // 8_000
        assert sum(chunk.events for chunk in found) == index.next_offset
        assert sum(chunk.size_bytes for chunk in found) == index.stored_bytes
    times = [place.time_ms for place, _ in world.events]
    assert min(index.first_ms or times[0] for index in world.indexes.values()) == min(times)
    assert max(index.last_ms or 0 for index in world.indexes.values()) == max(times)


async def test_what_is_dropped_is_forgotten(world: World) -> None:
    for index in world.indexes.values():
        middle_ms = START_MS + 25_000
        index.drop(middle_ms, 0)
        found = list(index.chunks(0, 10**13))
        assert not found or found[0].to_ms >= middle_ms
        assert index.stored_bytes == sum(chunk.size_bytes for chunk in found)
        index.drop(0, index.next_offset)
        assert (index.first_ms, index.last_ms, index.stored_bytes) == (None, None, 0)


def test_a_burst_of_one_time_is_not_read_as_a_whole() -> None:
    """The newest events of a log stream whose events are all of one time: its last chunk has them."""
    index = StreamIndex(0)
    for n in range(100):
        index.note(n * 1000, [START_MS] * 1000, 100_000, START_MS)
    read: list[int] = []

    class Watched(MemoryLog):
        def read(self, shard: int, offset: int, *, records_max: int, bytes_max: int) -> list[RecordRun]:
            read.append(offset)
            keys = keys_of([START_MS] * records_max)
            return [RecordRun(offset, START_MS, keys, [b"m"] * records_max)]

    found = index.chunks(0, 10**13)
    page = sweep.sweep(
        PieceReader(Watched(ManualClock()), PieceCache()), found, EVERYTHING, forward=False, limits=Limits(3)
    )
    assert [event.place.offset for event in page.events] == [99_999, 99_998, 99_997]
    assert len(read) == 1


def test_ids_sort_as_events_do_and_lead_back() -> None:
    choose = random.Random(1)
    places = [
        Place(choose.randrange(10**13), choose.randrange(10**13), choose.randrange(100), choose.randrange(10**6))
        for _ in range(100)
    ]
    ids = {event_id(17, place): place for place in places}
    assert [ids[text] for text in sorted(ids)] == sorted(places)
    assert {len(text) for text in ids} == {56}
    assert all(place_of(text, 17) == place for text, place in ids.items())
    some = next(iter(ids))
    assert place_of(some, 18) is None
    assert [place_of(text, 17) for text in ("", "3" * 55, some[:-1] + "x", "4" + some[1:])] == [None] * 4
