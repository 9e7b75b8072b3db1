"""`millstream tail`: follows all shards of a stream, through resharding, throttling and restarts of the server."""

from __future__ import annotations

import asyncio
import datetime as dt
import math
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from millstream.cli.client import CallError, Client, Unreachable, back_off, connect
from millstream.cli.errors import CommandError
from millstream.cli.lineage import Lineage
from millstream.cli.output import RecordPrinter

POLL_S = 0.3  # a shard takes five reads a second: this leaves some for others


class Position(NamedTuple):
    """Where to begin in a shard, as GetShardIterator takes it."""

    type: str
    timestamp: float | None = None
    sequence_number: str | None = None

    def params(self) -> dict[str, Any]:
        """The members of GetShardIterator."""
        return {
            "ShardIteratorType": self.type,
            "Timestamp": self.timestamp,
            "StartingSequenceNumber": self.sequence_number,
        }


def parse_position(text: str) -> Position:
    """The position that `--from` names. Raises CommandError."""
    named = {"trim-horizon": "TRIM_HORIZON", "latest": "LATEST"}.get(text.lower().replace("_", "-"))
    if named is not None:
        return Position(named)
    time_s = _time_s(text)
    if time_s is None:
        now = dt.datetime.now().astimezone().isoformat(timespec="seconds")
        raise CommandError(
            f"--from {text!r} is not allowed; it must be trim-horizon, latest, or a time such as {now} or 1700000000"
        )
    return Position("AT_TIMESTAMP", time_s)


def _time_s(text: str) -> float | None:
    """Epoch seconds of a time that is given as such or in ISO 8601 (without a zone: local time)."""
    try:
        time_s = float(text)
    except ValueError:
        try:
            time_s = dt.datetime.fromisoformat(text).timestamp()
        except (ValueError, OverflowError):
            return None
    return time_s if 0 <= time_s < math.inf else None


def run_tail(
    endpoint: str | None, environment: Mapping[str, str], stream: str, *, start: str, raw: bool, limit: int | None
) -> None:
    """Print records until interrupted or until `limit` is reached. Raises CommandError."""
    position = parse_position(start)
    printer = RecordPrinter(raw=raw, limit=limit)
    asyncio.run(_tail(endpoint, environment, stream, position, printer))


async def _tail(
    endpoint: str | None, environment: Mapping[str, str], stream: str, position: Position, printer: RecordPrinter
) -> None:
    async with connect(endpoint, environment) as client:
        await Tail(client, stream, position, printer.print).run()


class Tail:
    """Follows one stream. `emit` gets the records of a shard, in order, and answers whether that is enough."""

    def __init__(
        self, client: Client, stream: str, start: Position, emit: Callable[[str, list[dict[str, Any]]], bool]
    ) -> None:
        self._client = client
        self._stream = stream
        self._start = start
        self._emit = emit
        self._lineage = Lineage()
        self._readers: set[asyncio.Task[bool]] = set()
        self._lost = False

    async def run(self) -> None:
        """Return once `emit` has had enough. Raises CommandError, for instance if there is no such stream."""
        only_open = {"Type": "AT_LATEST"} if self._start.type == "LATEST" else None
        shards = await self._client.pages("ListShards", "Shards", StreamName=self._stream, ShardFilter=only_open)
        self._lineage.add(shards)
        self._read(self._lineage.begin(), self._start)
        # what is put into a child was put after we began
        later = Position("TRIM_HORIZON") if self._start.type == "LATEST" else self._start
        try:
            while self._readers:
                done, self._readers = await asyncio.wait(self._readers, return_when=asyncio.FIRST_COMPLETED)
                if any(reader.result() for reader in done):
                    return
                self._read(self._lineage.begin(), later)
        finally:
            for reader in self._readers:
                reader.cancel()
            await asyncio.gather(*self._readers, return_exceptions=True)

    def _read(self, shard_ids: list[str], position: Position) -> None:
        for shard_id in shard_ids:
            self._readers.add(asyncio.create_task(self._read_shard(shard_id, position)))

    async def _read_shard(self, shard_id: str, position: Position) -> bool:
        """Read to the shard's end (False) or until it is enough (True)."""
        iterator = await self._iterator(shard_id, position)
        if position.type == "LATEST":  # if the iterator is lost, that is where to take up again
            position = Position("AT_TIMESTAMP", timestamp=time.time())
        while iterator is not None:
            try:
                output = await self._persist("GetRecords", ShardIterator=iterator)
            except CallError as error:
                if error.code != "ExpiredIteratorException":
                    raise
                iterator = await self._iterator(shard_id, position)
                continue
            if records := output["Records"]:
                position = Position("AFTER_SEQUENCE_NUMBER", sequence_number=records[-1]["SequenceNumber"])
                if self._emit(shard_id, records):
                    return True
            iterator = output.get("NextShardIterator")
            if iterator is None:
                self._lineage.add_children(output.get("ChildShards", []))
            elif not records or output["MillisBehindLatest"] == 0:
                await asyncio.sleep(POLL_S)
        self._lineage.end(shard_id)
        return False

    async def _iterator(self, shard_id: str, position: Position) -> str | None:
        output = await self._persist("GetShardIterator", StreamName=self._stream, ShardId=shard_id, **position.params())
        iterator: str | None = output.get("ShardIterator")
        return iterator

    async def _persist(self, operation: str, **params: Any) -> dict[str, Any]:
        """The operation's output, however long the server throttles, fails or is away."""
        attempt = 0
        while True:
            try:
                output = await self._client.call(operation, **params)
            except CallError as error:
                if not error.is_passing:
                    raise
            except Unreachable as error:
                self._note(f"{error}; waiting for it to return")
                self._lost = True
            else:
                if self._lost:
                    self._lost = False
                    self._note("the server is back")
                return output
            await back_off(attempt)
            attempt += 1

    def _note(self, text: str) -> None:
        if not self._lost:
            print(f"millstream: {text}", file=sys.stderr)
