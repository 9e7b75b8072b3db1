"""Reading one shard: iterators got and renewed, throttles and outages waited out."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import NamedTuple

import msgspec

from millstream.client.checkpoints import LATEST, Checkpoint, at_time
from millstream.client.errors import CallError, ClientError, understanding
from millstream.client.pace import Pace
from millstream.client.puts import Backoff
from millstream.client.records import Page, Record, after, deaggregate, decode_page
from millstream.client.shards import stream_params
from millstream.client.transport import Connection

log = logging.getLogger("millstream.client")


class ShardGone(Exception):
    """The service knows no such shard, or no such stream."""


class Source(NamedTuple):
    """What readers of a stream's shards share."""

    connection: Connection
    stream: str
    records_max: int | None
    """Records in one GetRecords; None: as many as the service gives."""
    backoff: Backoff
    slots: asyncio.Semaphore
    """Bounds the pages that are fetched or kept at the same time: one is taken for each."""


class Chunk(NamedTuple):
    """Records of a shard, taken apart. `end` is the place after the last of them."""

    records: list[Record]
    millis_behind: int
    end: Checkpoint


class ShardReader:
    """Reads a shard from a checkpoint on; the errors that do not pass by themselves are the caller's."""

    def __init__(self, source: Source, shard_id: str, checkpoint: Checkpoint, pace: Pace) -> None:
        self.shard_id = shard_id
        self.is_at_end = checkpoint.is_end
        self._source = source
        self._place = checkpoint
        self._pace = pace
        self._iterator: str | None = None
        self._first: str | None = None
        self._failures = 0
        self._wait_s = 0.0

    async def begin(self) -> Checkpoint:
        """Find the place to read from; returns it as a checkpoint that stays the same place.

        LATEST means another place whenever somebody asks. What it gives in return is the service's time, which it tells
        in whole seconds: who reads on from it misses nothing, but may see records of up to a second before. This reader
        itself goes on from LATEST exactly.
        """
        while self._place == LATEST:
            try:
                await self._get_iterator()
                self._place = at_time(self._source.connection.served_ms)
            except ClientError as error:
                await asyncio.sleep(self._wait_after(error))
        return self._place

    async def read(self) -> Chunk | None:
        """The next records, as soon as there are any; None at the end of the shard. Raises ShardGone, CallError.

        Takes a slot for what it returns, which whoever is done with it gives back.
        """
        while not self.is_at_end:
            await asyncio.sleep(self._wait_s)
            await self._source.slots.acquire()
            chunk = None
            try:
                chunk = await self._read_once()
            finally:
                if chunk is None:
                    self._source.slots.release()
            if chunk is not None:
                return chunk
        return None

    async def _read_once(self) -> Chunk | None:
        """Records, if there were any; sets how long to wait before the next call."""
        asked_s = time.monotonic()
        try:
            if self._iterator is None:
                await self._get_iterator()
            page = await self._get_page()
        except ClientError as error:
            self._wait_s = self._wait_after(error)
            return None
        self._failures = 0
        self._iterator = page.next_iterator
        self.is_at_end = page.next_iterator is None
        is_behind = page.millis_behind > 0
        if not page.records:
            self._wait_s = self._pace.after_nothing(is_behind=is_behind)
            return None
        self._wait_s = self._pace.after_records(time.monotonic() - asked_s, is_behind=is_behind)
        self._check_first(page.records[0])
        records = after(deaggregate(page.records), self._place)
        if not records:
            return None
        self._place = records[-1].checkpoint
        return Chunk(records, page.millis_behind, self._place)

    async def _get_iterator(self) -> None:
        source = self._source
        reply = await source.connection.call(
            "GetShardIterator",
            **stream_params(source.stream),
            ShardId=self.shard_id,
            **self._place.iterator_params(),
        )
        with understanding("GetShardIterator"):
            self._iterator = str(reply["ShardIterator"])
        self._first = self._place.value if self._place.is_number else None

    def _check_first(self, record: Record) -> None:
        """An iterator AT a sequence number gives that record, or the oldest if the stream does not keep it any more."""
        if self._first is not None and record.sequence_number != self._first:
            log.warning(
                "%s: records after %s may have expired before they were read: the next one arrived at %s",
                self.shard_id,
                self._first,
                record.arrived.isoformat(timespec="seconds"),
            )
        self._first = None

    async def _get_page(self) -> Page:
        params = {"ShardIterator": self._iterator, "Limit": self._source.records_max}
        if self._source.stream.startswith("arn:"):
            params["StreamARN"] = self._source.stream
        body = msgspec.json.encode({name: value for name, value in params.items() if value is not None})
        return decode_page(await self._source.connection.call_encoded("GetRecords", body))

    def _wait_after(self, error: ClientError) -> float:
        """How long to wait before another attempt. Raises errors that do not pass."""
        if isinstance(error, CallError) and error.code == "ExpiredIteratorException":
            self._iterator = None  # the next one begins after the last record that was read
            return 0.0
        if isinstance(error, CallError) and error.code == "ResourceNotFoundException":
            raise ShardGone(str(error)) from error
        if isinstance(error, CallError) and error.is_throttle:
            return self._pace.after_throttle()
        if not error.is_passing:
            raise error
        if not self._failures:
            log.warning("%s cannot be read for now: %s", self.shard_id, error)
        self._failures += 1
        return self._source.backoff.delay_ms(self._failures - 1) / 1000
