"""Bodies are bounded in size, time and sum, and what is held of them is always given back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

import pytest
from granian._granian import RSGIProtocolClosed

from millstream.base.clock import ManualClock
from millstream.base.units import MIB
from millstream.server.intake import BODY_BYTES_MAX, UPLOAD_S_MAX, ClientGone, Intake
from millstream.wire.faults import RequestEntityTooLargeException, RequestTimeoutException, ServiceUnavailable


class Upload:
    """A client's body as Granian gives it: piece by piece; the last future stays open if the client stalls."""

    def __init__(self, pieces: Iterable[bytes], *, stalls: bool = False, breaks: bool = False) -> None:
        self._pieces = list(pieces)
        self._stalls = stalls
        self._breaks = breaks
        self.taken_bytes = 0

    def __call__(self) -> asyncio.Future[bytes]:
        return self._future(b"".join(self._pieces))

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    def __anext__(self) -> asyncio.Future[bytes]:
        if not self._pieces and not self._stalls:
            raise StopAsyncIteration
        return self._future(self._pieces.pop(0) if self._pieces else None)

    def _future(self, data: bytes | None) -> asyncio.Future[bytes]:
        future = asyncio.get_running_loop().create_future()
        if self._breaks:
            future.set_exception(RSGIProtocolClosed())
        elif data is not None and not (self._stalls and not self._pieces):
            self.taken_bytes += len(data)
            future.set_result(data)
        return future


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def intake(clock: ManualClock) -> Intake:
    return Intake(clock, held_bytes_max=4 * MIB)


async def test_small_bodies_are_held_until_they_are_released(intake: Intake) -> None:
    body = await intake.take(Upload([b"12345"]), "5")
    assert body == b"12345"
    assert intake.held_bytes == 5
    intake.release(body)
    assert intake.held_bytes == 0


async def test_large_bodies_and_bodies_of_unknown_length_come_in_pieces(intake: Intake) -> None:
    pieces = [b"a" * MIB, b"b" * MIB]
    assert await intake.take(Upload(pieces), str(2 * MIB)) == b"".join(pieces)
    assert await intake.take(Upload([b"c", b"", b"d"]), None) == b"cd"
    assert intake.held_bytes == 2 * MIB + 2


async def test_nothing_is_read_of_a_body_that_declares_too_much(intake: Intake) -> None:
    upload = Upload([b"x"])
    for declared in (str(BODY_BYTES_MAX + 1), "9" * 30, "-1", "1e3"):
        with pytest.raises(RequestEntityTooLargeException):
            await intake.take(upload, declared)
    assert upload.taken_bytes == 0
    assert intake.held_bytes == 0


async def test_a_body_of_unknown_length_is_cut_off_at_the_limit(clock: ManualClock) -> None:
    intake = Intake(clock)
    upload = Upload([b"x" * MIB] * 100)
    with pytest.raises(RequestEntityTooLargeException):
        await intake.take(upload, None)
    assert upload.taken_bytes <= BODY_BYTES_MAX + MIB
    assert intake.held_bytes == 0


async def test_who_only_promises_megabytes_holds_none_and_others_are_served(intake: Intake) -> None:
    slow = [asyncio.create_task(intake.take(Upload([b"x"], stalls=True), str(10 * MIB))) for _ in range(100)]
    await asyncio.sleep(0)
    assert await intake.take(Upload([b"quick"]), "5") == b"quick"
    intake.cut_off_all()
    results = await asyncio.gather(*slow, return_exceptions=True)
    assert {type(result) for result in results} == {RequestTimeoutException}


async def test_beyond_the_sum_clients_are_told_to_come_again(intake: Intake) -> None:
    held = [await intake.take(Upload([b"x" * MIB]), str(MIB)) for _ in range(4)]
    with pytest.raises(ServiceUnavailable):
        await intake.take(Upload([b"x"]), "1")
    with pytest.raises(ServiceUnavailable):
        await intake.take(Upload([b"x" * MIB]), None)
    intake.release(held.pop())
    assert await intake.take(Upload([b"x"]), "1") == b"x"


async def test_slow_bodies_are_cut_off_when_their_time_is_up(intake: Intake, clock: ManualClock) -> None:
    whole = asyncio.create_task(intake.take(Upload([], stalls=True), "5"))
    pieces = asyncio.create_task(intake.take(Upload([b"x"], stalls=True), None))
    await asyncio.sleep(0)
    clock.advance(int(UPLOAD_S_MAX * 1000) - 1)
    intake.cut_off_slow()
    await asyncio.sleep(0)
    assert not whole.done()
    assert not pieces.done()
    clock.advance(1)
    intake.cut_off_slow()
    for task in (whole, pieces):
        with pytest.raises(RequestTimeoutException):
            await task
    assert intake.held_bytes == 0


async def test_a_client_that_hangs_up_gives_everything_back(intake: Intake) -> None:
    for declared in ("5", str(2 * MIB), None):
        with pytest.raises(ClientGone):
            await intake.take(Upload([b"x"], breaks=True), declared)
    with pytest.raises(ClientGone):
        await intake.take(Upload([b"x" * MIB]), str(2 * MIB))  # ends early
    assert intake.held_bytes == 0


async def test_an_answered_upload_is_read_on_so_that_the_client_listens(intake: Intake) -> None:
    upload = Upload([b"x" * MIB] * 50)
    await intake.discard(upload)
    assert upload.taken_bytes == 50 * MIB
    assert intake.held_bytes == 0
    endless = Upload([b"x" * MIB] * 1000)
    await intake.discard(endless)
    assert endless.taken_bytes < 300 * MIB
