"""Producers: records gathered, put, and put again where that failed, in bounded memory."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Generator
from contextlib import suppress
from types import TracebackType
from typing import Any

from millstream.base.units import MIB
from millstream.client.errors import ClientError, ConfigurationError
from millstream.client.lots import AggregateLot, HashRanges, Lot, PlainLot
from millstream.client.puts import Backoff, into_delivery_stream, into_stream, put_all
from millstream.client.shards import list_shards
from millstream.client.target import GetCredentials, find_target
from millstream.client.transport import Connection
from millstream.wire.sigv4 import Credentials

log = logging.getLogger("millstream.client")

RECORD_OVERHEAD_BYTES = 128  # what a record costs in memory beside its data, about
LOT_OVERHEAD_BYTES = 2048
KEY_CHARACTERS_MAX = 256
SHARDS_S = 60.0
LEAVE_S_MAX = 5.0  # how long a block that an error ends waits for what was put before it


class RecordTooLarge(ClientError):
    """No request can take the record."""


class Receipt:
    """Await it to know that a record is stored. One receipt is shared by all records that travel together."""

    __slots__ = ("_future", "_is_told")

    def __init__(self) -> None:
        self._future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._is_told = False

    def __await__(self) -> Generator[Any, None, None]:
        return self._wait().__await__()

    @property
    def is_done(self) -> bool:
        """Whether the record is stored, or never will be."""
        return self._future.done()

    @property
    def error(self) -> BaseException | None:
        """Why the record was given up, if it was."""
        return self._future.exception() if self._future.done() else None

    async def _wait(self) -> None:
        try:
            await asyncio.shield(self._future)
        except ClientError:
            self._is_told = True
            raise

    def _settle(self, error: ClientError | None) -> None:
        if error is None:
            self._future.set_result(None)
        else:
            self._future.set_exception(error)
            self._future.exception()  # it is told by the next call of the producer, if nobody asks the receipt

    def _tell(self) -> BaseException | None:
        """The error, if nobody has been told of it; from now on somebody has."""
        is_told, self._is_told = self._is_told, True
        return None if is_told else self.error


class _Parcel:
    """A lot with what the producer has to know of it."""

    __slots__ = ("held_bytes", "lot", "opened_s", "receipt")

    def __init__(self, lot: Lot, opened_s: float) -> None:
        self.lot = lot
        self.receipt = Receipt()
        self.opened_s = opened_s
        self.held_bytes = 0


class Producer:
    """Puts records into a data stream (name or ARN), or into a delivery stream: `Producer(delivery="name")`.

    Records are gathered into requests of up to 500 records or 5 MiB (4 into delivery streams), which are sent when
    they are full, or `linger_ms` after their first record; up to `in_flight` of them at the same time. What the service
    refuses for now is put again for as long as it takes, and only that. `put` waits while `buffer_bytes` are under way.

    `order` keeps the order of records of the same partition key: one request at a time, which holds no key twice.
    `aggregate` packs records that belong to one shard into one, in the KPL's format, which is cheaper and quicker for
    small ones; `consume` and the KCL take them apart. Together they are quick and in order, as long as this producer
    lives (it goes by the shards that it found when it began).

    A call that will not pass (no such stream, no permission) fails the records of its request: their receipt raises,
    and if nobody awaits that, the next put, flush or close does. Raises ConfigurationError.
    """

    def __init__(
        self,
        stream: str | None = None,
        *,
        delivery: str | None = None,
        aggregate: bool = False,
        order: bool = False,
        linger_ms: float = 50.0,
        in_flight: int = 4,
        buffer_bytes: int = 64 * MIB,
        endpoint: str | None = None,
        region: str | None = None,
        credentials: Credentials | GetCredentials | None = None,
    ) -> None:
        if (stream is None) == (delivery is None):
            raise ConfigurationError("name either a stream or a delivery stream")
        if delivery is not None and aggregate:
            raise ConfigurationError("aggregate is for data streams; a delivery stream takes records as they are")
        if delivery is not None and order:
            raise ConfigurationError("order is for data streams: a delivery stream has no partition keys")
        if in_flight < 1 or linger_ms < 0 or buffer_bytes < 1:
            raise ConfigurationError("in_flight and buffer_bytes have to be at least 1, linger_ms at least 0")
        self._stream = stream or ""
        self._target = into_stream(self._stream) if delivery is None else into_delivery_stream(delivery)
        where = find_target(self._target.api, endpoint=endpoint, region=region, credentials=credentials)
        self._connection = Connection(self._target.api, where)
        self._is_keyed = delivery is None
        self._is_aggregating = aggregate
        self._is_ordered = order
        self._linger_s = linger_ms / 1000
        self._free = 1 if order else in_flight
        self._buffer_bytes = buffer_bytes
        self._held_bytes = 0
        self._open: _Parcel | None = None
        self._due = False
        self._timer: asyncio.TimerHandle | None = None
        self._full: deque[_Parcel] = deque()
        self._sending: dict[asyncio.Task[None], _Parcel] = {}
        self._changed = asyncio.Event()
        self._failed: deque[Receipt] = deque(maxlen=16)
        self._ranges: HashRanges | None = None
        self._ranges_s = 0.0
        self._listing = asyncio.Lock()
        self._is_closed = False

    async def __aenter__(self) -> Producer:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            await self.close()
            return
        with suppress(ClientError, TimeoutError):
            async with asyncio.timeout(LEAVE_S_MAX):
                await self.close()

    async def put(self, data: bytes, partition_key: str | None = None) -> Receipt:
        """Take a record, and return as soon as there is room for it; `await` the receipt to know that it is stored.

        Without a partition key any shard may get it. Raises TypeError for text, RecordTooLarge, and ClientErrors of
        earlier records that nobody has been told of.
        """
        if self._failed:
            self._raise_failure()
        if not isinstance(data, bytes):
            raise TypeError(f"a record is bytes, not {type(data).__name__}: encode it")
        key = partition_key if partition_key is not None else self._any_key()
        size_bytes = len(data) + len(key)
        if size_bytes + 3 * len(key) > self._target.record_bytes_max or not 0 < len(key) <= KEY_CHARACTERS_MAX:
            self._check(data, key)
        while self._held_bytes >= self._buffer_bytes and not self._is_closed:
            await self._changed.wait()
        if self._is_aggregating and (self._ranges is None or time.monotonic() - self._ranges_s > SHARDS_S):
            await self._look_at_shards()
        self._check_open()
        return self._add(key, data, size_bytes + RECORD_OVERHEAD_BYTES)

    async def flush(self) -> None:
        """Send what has gathered, and return when all that was put until now is stored. Raises as `put`."""
        self._seal()
        self._send_more()
        parcels = [*self._sending.values(), *self._full]
        if parcels:
            await asyncio.wait([parcel.receipt._future for parcel in parcels])
        self._raise_failure()

    async def close(self) -> None:
        """Flush, and let go of the connections. Raises as `put`; they are let go of all the same.

        It waits for a service that does not answer. Cancel it to give up: the receipts of what is not stored fail.
        """
        self._is_closed = True
        self._notify()
        try:
            await self.flush()
        finally:
            await self._give_up()
            await self._connection.close()

    async def _give_up(self) -> None:
        """Fail what is not stored yet, if there is anything."""
        if self._timer is not None:
            self._timer.cancel()
        self._seal()
        if not all(parcel.receipt.is_done for parcel in (*self._full, *self._sending.values())):
            log.warning("%s: closed before everything was stored", self._target.name)
        while self._full:
            self._settle(self._full.popleft(), _given_up())
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)

    def _seal(self) -> None:
        """Add nothing more to the open lot."""
        if self._open is not None:
            self._full.append(self._open)
            self._open = None

    def _check_open(self) -> None:
        if self._is_closed:
            raise ConfigurationError("the producer is closed")

    def _any_key(self) -> str:
        return f"{random.getrandbits(64):016x}" if self._is_keyed else ""

    def _check(self, data: bytes, key: str) -> None:
        if self._is_keyed and not 0 < len(key) <= KEY_CHARACTERS_MAX:
            raise ConfigurationError(f"a partition key has 1 to {KEY_CHARACTERS_MAX} characters, not {len(key)}")
        size_bytes = len(data) + len(key.encode())
        if size_bytes > self._target.record_bytes_max:
            raise RecordTooLarge(f"a record of {size_bytes} bytes: {self._target.record_bytes_max} is the most")

    def _add(self, key: str, data: bytes, held_bytes: int) -> Receipt:
        parcel = self._open
        if parcel is None or not parcel.lot.add(key, data):
            self._seal()
            parcel = self._open = _Parcel(self._new_lot(), time.monotonic())
            self._due = False
            if not parcel.lot.add(key, data):
                raise AssertionError("a record that an empty lot does not take")
            held_bytes += LOT_OVERHEAD_BYTES
            self._set_timer()
            self._send_more()
        parcel.held_bytes += held_bytes
        self._held_bytes += held_bytes
        return parcel.receipt

    def _new_lot(self) -> Lot:
        if self._is_aggregating and self._ranges is not None:
            return AggregateLot(self._target, self._ranges, is_ordered=self._is_ordered)
        return PlainLot(self._target, is_ordered=self._is_ordered)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._linger_s, self._be_due)

    def _be_due(self) -> None:
        self._due = True
        self._send_more()

    def _send_more(self) -> None:
        """Send what is full or due. While as much as may be is on the way, the open lot goes on filling."""
        while self._free:
            if self._full:
                parcel = self._full.popleft()
            elif self._due and self._open is not None:
                parcel, self._open = self._open, None
            else:
                return
            self._free -= 1
            task = asyncio.create_task(self._send(parcel))
            self._sending[task] = parcel
            task.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task[None]) -> None:
        del self._sending[task]
        self._free += 1
        self._send_more()
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _send(self, parcel: _Parcel) -> None:
        error: ClientError | None = _given_up()
        try:
            await put_all(self._connection, self._target, parcel.lot.entries())
            error = None
        except ClientError as refusal:
            error = refusal
            self._failed.append(parcel.receipt)
        finally:
            self._settle(parcel, error)

    def _settle(self, parcel: _Parcel, error: ClientError | None) -> None:
        self._held_bytes -= parcel.held_bytes
        parcel.receipt._settle(error)

    def _raise_failure(self) -> None:
        while self._failed:
            error = self._failed.popleft()._tell()
            if error is not None:
                raise error

    async def _look_at_shards(self) -> None:
        """Find out which shards there are; `order` needs that this stays so, for a key to stay where it is."""
        async with self._listing:
            if self._ranges is not None and (self._is_ordered or time.monotonic() - self._ranges_s <= SHARDS_S):
                return
            backoff, attempt = Backoff(), 0
            while True:
                self._check_open()
                try:
                    shards = await list_shards(self._connection, self._stream)
                    break
                except ClientError as error:
                    if not error.is_passing:
                        raise
                    await asyncio.sleep(backoff.delay_ms(attempt) / 1000)
                    attempt += 1
            self._ranges, self._ranges_s = HashRanges(shards.values()), time.monotonic()


def _given_up() -> ClientError:
    return ClientError("the producer was closed before the record was stored")
