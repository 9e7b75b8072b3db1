"""`millstream put`: records from the command line, a file or a pipe, in batches, until every one of them is in."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple

from millstream.base.units import MIB
from millstream.cli.client import CallError, Client, Unreachable, back_off, connect
from millstream.cli.errors import CommandError
from millstream.cli.lines import read_lines
from millstream.cli.progress import Show, progress

BATCH_RECORDS_MAX = 500
BATCH_BYTES_MAX = 5 * MIB  # half of what PutRecords takes: batches of large records stay quick
REQUESTS_MAX = 4
PATIENCE_S = 60.0  # without a single record getting in

MakeKey = Callable[[bytes, int], str | None]
"""The partition key of a record, from its data and its number in the input; None where records have none."""


class PutOperation(NamedTuple):
    """An operation that puts batches: its name, the member that names the stream, and the list of results."""

    name: str
    stream_member: str
    results_member: str


PUT_RECORDS = PutOperation("PutRecords", "StreamName", "Records")


def run_put(
    endpoint: str | None,
    environment: Mapping[str, str],
    stream: str,
    *,
    data: str | None,
    file: Path | None,
    partition_key: str | None,
    key_field: str | None,
) -> None:
    """Put what the arguments name and say on standard error how it went. Raises CommandError."""
    make_key = key_maker(partition_key, key_field)
    if data is not None:
        asyncio.run(_put_one(endpoint, environment, stream, data.encode("utf-8", "surrogateescape"), make_key))
        return
    source, size_bytes = open_input(file)
    with source:
        asyncio.run(_put_lines(endpoint, environment, stream, source, make_key, size_bytes))


def open_input(file: Path | None) -> tuple[FileIO, int | None]:
    """The input, unbuffered, and its size if that is known."""
    if file is None or str(file) == "-":
        return FileIO(sys.stdin.fileno(), closefd=False), None
    try:
        return FileIO(file), file.stat().st_size or None
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from error


def key_maker(partition_key: str | None, key_field: str | None) -> MakeKey:
    """How partition keys are made: one for all, from a field of JSON records, or at random."""
    if partition_key is not None:
        return lambda _data, _number: partition_key
    if key_field is None:
        return lambda _data, _number: uuid.uuid4().hex

    def from_field(data: bytes, number: int) -> str:
        try:
            value = json.loads(data)[key_field]
        except (ValueError, KeyError, TypeError):
            raise CommandError(f"record {number} is no JSON object with a field {key_field!r}") from None
        return value if isinstance(value, str) else json.dumps(value)

    return from_field


async def _put_one(
    endpoint: str | None, environment: Mapping[str, str], stream: str, data: bytes, make_key: MakeKey
) -> None:
    async with connect(endpoint, environment) as client:
        output = await client.call_patiently("PutRecord", StreamName=stream, Data=data, PartitionKey=make_key(data, 1))
    print(f"{output['ShardId']} {output['SequenceNumber']}")


async def _put_lines(
    endpoint: str | None,
    environment: Mapping[str, str],
    stream: str,
    source: FileIO,
    make_key: MakeKey,
    size_bytes: int | None,
) -> None:
    began = time.monotonic()
    with progress(size_bytes) as show:
        async with connect(endpoint, environment) as client:
            putter = Putter(client, stream, show)
            await put_batches(putter, batches(read_lines(source), make_key))
    report_put(putter, stream, began)


async def put_batches(putter: Putter, batches: AsyncIterator[list[dict[str, Any]]]) -> None:
    """Put every batch; returns once all records are in. Raises CommandError."""
    try:
        async for batch in batches:
            await putter.put(batch)
        await putter.finish()
    except OSError as error:
        raise CommandError(f"the input cannot be read: {error.strerror}") from error
    finally:
        await putter.abandon()


def report_put(putter: Putter, stream: str, began: float) -> None:
    """Say on standard error how putting into `stream`, which began at that `time.monotonic()`, went."""
    took_s = time.monotonic() - began
    retried = f", {putter.retried:,} retries" if putter.retried else ""
    rate = putter.records / max(took_s, 0.001)
    records = "record" if putter.records == 1 else "records"
    print(f"{putter.records:,} {records} put into {stream} in {took_s:.1f} s ({rate:,.0f}/s){retried}", file=sys.stderr)


async def batches(
    source: AsyncIterator[list[bytes]], make_key: MakeKey, bytes_max: int = BATCH_BYTES_MAX
) -> AsyncIterator[list[dict[str, Any]]]:
    """Entries of PutRecords: full batches where there is much, and whatever there is where the input pauses."""
    number = 0
    async for lines in source:
        batch: list[dict[str, Any]] = []
        batch_bytes = 0
        for line in lines:
            number += 1
            key = make_key(line, number)
            entry_bytes = len(line) + len((key or "").encode("utf-8", "surrogatepass"))
            if len(batch) == BATCH_RECORDS_MAX or (batch and batch_bytes + entry_bytes > bytes_max):
                yield batch
                batch, batch_bytes = [], 0
            batch.append({"Data": line} if key is None else {"Data": line, "PartitionKey": key})
            batch_bytes += entry_bytes
        yield batch


class Putter:
    """Puts batches, several at a time, each until all of its records are in."""

    def __init__(self, client: Client, stream: str, show: Show, operation: PutOperation = PUT_RECORDS) -> None:
        self.records = 0
        self.retried = 0
        self._client = client
        self._operation = operation
        self._stream = {operation.stream_member: stream}
        self._show = show
        self._tasks: set[asyncio.Task[None]] = set()

    async def put(self, batch: list[dict[str, Any]]) -> None:
        """Begin to put a batch; returns once there is room for another. Raises what an earlier batch failed with."""
        while len(self._tasks) >= REQUESTS_MAX:
            await self._settle(asyncio.FIRST_COMPLETED)
        self._tasks.add(asyncio.create_task(self._put_batch(batch)))

    async def finish(self) -> None:
        """Return once every batch is in."""
        while self._tasks:
            await self._settle(asyncio.FIRST_EXCEPTION)

    async def abandon(self) -> None:
        """Break off whatever is still under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _settle(self, until: str) -> None:
        done, _ = await asyncio.wait(self._tasks, return_when=until)
        for task in done:
            task.result()  # raises: the other failures, if any, are for `abandon` to take
            self._tasks.discard(task)

    async def _put_batch(self, batch: list[dict[str, Any]]) -> None:
        attempt = 0
        deadline = time.monotonic() + PATIENCE_S
        while batch:
            failed, problem = await self._attempt(batch)
            if len(failed) < len(batch):
                deadline = time.monotonic() + PATIENCE_S
                self.records += len(batch) - len(failed)
                self._show(len(batch) - len(failed), _line_bytes(batch) - _line_bytes(failed))
            elif time.monotonic() > deadline:
                raise CommandError(f"gave up after {PATIENCE_S:.0f} s without a record getting in: {problem}")
            batch = failed
            if batch:
                self.retried += len(batch)
                await back_off(attempt)
                attempt += 1

    async def _attempt(self, batch: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], str]:
        """The entries that did not get in, in order, and why."""
        try:
            output = await self._client.call(self._operation.name, **self._stream, Records=batch)
        except CallError as error:
            if not error.is_passing:
                raise
            return batch, str(error)
        except Unreachable as error:
            if not self.records:
                raise
            return batch, str(error)
        results = output[self._operation.results_member]
        failed = [entry for entry, result in zip(batch, results, strict=True) if "ErrorCode" in result]
        problems = [f"{result['ErrorMessage']} ({result['ErrorCode']})" for result in results if "ErrorCode" in result]
        return failed, problems[0] if problems else ""


def _line_bytes(entries: list[dict[str, Any]]) -> int:
    return sum(len(entry["Data"]) + 1 for entry in entries)
