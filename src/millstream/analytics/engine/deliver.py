"""Delivery of an application's results: in order an output, again and again until they are taken, at most so much
under way."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from millstream.analytics.engine.ports import Refused, Sender
from millstream.analytics.model import Output, ResourceKind
from millstream.base.units import KIB, MIB

RECORDS_MAX = 500
"""The most records that are put at once: the limit of PutRecords and of PutRecordBatch."""

BYTES_MAX = 4 * MIB
"""The most bytes that are put at once: the limit of PutRecordBatch."""

_RECORD_BYTES_MAX = {
    ResourceKind.STREAM: 1 * MIB - 32,  # with its key
    ResourceKind.DELIVERY_STREAM: 1_000 * KIB,
    ResourceKind.FUNCTION: 4 * MIB,  # in base64 within the 6 MB of an invocation
}
_WAITING_BYTES_MAX = 32 * MIB
_PAUSE_S = 0.05
_PAUSE_S_MAX = 5.0
_DOUBLINGS_MAX = 10
_TELL_AT = 3  # refusals of the same records in a row, and then every
_TELL_EVERY = 60


class _Part(NamedTuple):
    keys: list[bytes]
    data: list[bytes]
    size_bytes: int


class OutputQueue:
    """What waits for one output. `report` is told of records that are refused again and again, and of those that no
    output could take: (code, message).

    `output` may be set to another one of the same id: what waits goes there.
    """

    def __init__(self, output: Output, sender: Sender, report: Callable[[str, str], None]) -> None:
        self.output = output
        self._sender = sender
        self._report = report
        self._parts: deque[_Part] = deque()
        self._waiting_bytes = 0
        self._is_bounded = True
        self._added = self._taken = 0  # parts
        self._closed = False
        self._changed = asyncio.Condition()
        self._task = asyncio.create_task(self._deliver())

    async def add(self, keys: list[bytes], data: list[bytes]) -> None:
        """Take records to deliver, as soon as there is room for them. Raises what ended the delivery, if something
        did."""
        for part in _parts(*self._deliverable(keys, data)):
            async with self._changed:
                await self._changed.wait_for(self._has_room)
                self._raise_if_ended()
                self._parts.append(part)
                self._added += 1
                self._waiting_bytes += part.size_bytes
                self._changed.notify_all()

    @property
    def added(self) -> int:
        """A mark for `taken`: all that was added so far."""
        return self._added

    async def taken(self, mark: int) -> None:
        """Return once everything up to that mark is delivered, or the queue is closed. Raises as `add`."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._taken >= mark or self._is_over)
            self._raise_if_ended()

    async def set_bounded(self, bounded: bool) -> None:
        """Whether `add` waits for room."""
        async with self._changed:
            self._is_bounded = bounded
            self._changed.notify_all()

    async def close(self) -> None:
        """Stop; what was not delivered is not."""
        self._closed = True
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def _has_room(self) -> bool:
        return not self._is_bounded or self._waiting_bytes < _WAITING_BYTES_MAX or self._is_over

    @property
    def _is_over(self) -> bool:
        return self._closed or self._task.done()

    def _raise_if_ended(self) -> None:
        if self._task.done() and not self._closed:
            self._task.result()

    def _deliverable(self, keys: list[bytes], data: list[bytes]) -> tuple[list[bytes], list[bytes]]:
        """Without the records that are too large for the output: it would refuse them for ever."""
        size_max = _RECORD_BYTES_MAX[self.output.kind]
        if len(data) == 0 or len(max(data, key=len)) <= size_max:
            return keys, data
        fitting = [place for place, datum in enumerate(data) if len(datum) <= size_max]
        dropped = len(data) - len(fitting)
        self._report("RecordTooLarge", f"{dropped} rows have more than {size_max} bytes, which it cannot take")
        return [keys[place] for place in fitting], [data[place] for place in fitting]

    async def _deliver(self) -> None:
        try:
            while True:
                async with self._changed:
                    await self._changed.wait_for(lambda: bool(self._parts))
                    part = self._parts[0]
                await self._put(part.keys, part.data)
                async with self._changed:
                    self._parts.popleft()
                    self._taken += 1
                    self._waiting_bytes -= part.size_bytes
                    self._changed.notify_all()
        finally:
            async with self._changed:
                self._changed.notify_all()

    async def _put(self, keys: list[bytes], data: list[bytes]) -> None:
        attempt = 0
        while True:
            refused = await self._sender.put(self.output, keys, data)
            if refused is None or not refused.places:
                return
            attempt += 1
            if attempt == _TELL_AT or attempt % _TELL_EVERY == 0:
                self._report(refused.code, refused.message)
            keys, data = _at(keys, refused), _at(data, refused)
            pause_s = min(_PAUSE_S_MAX, _PAUSE_S * 2 ** min(attempt, _DOUBLINGS_MAX))
            await asyncio.sleep(pause_s * random.uniform(0.5, 1))  # noqa: S311


def _at(values: list[bytes], refused: Refused) -> list[bytes]:
    return [values[place] for place in refused.places]


def _parts(keys: list[bytes], data: list[bytes]) -> Iterator[_Part]:
    begin, size = 0, 0
    for at, (key, datum) in enumerate(zip(keys, data, strict=True)):
        record_bytes = len(key) + len(datum)
        if at > begin and (at - begin >= RECORDS_MAX or size + record_bytes > BYTES_MAX):
            yield _Part(keys[begin:at], data[begin:at], size)
            begin, size = at, 0
        size += record_bytes
    if begin < len(data):
        yield _Part(keys[begin:], data[begin:], size)
