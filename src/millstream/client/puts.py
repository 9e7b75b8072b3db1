"""Putting batches of records, each until all of its records are in: into a data stream or a delivery stream."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from millstream.base.units import KIB, MIB
from millstream.client.errors import CallError, ClientError, Unreachable
from millstream.client.target import FIREHOSE, KINESIS, Api
from millstream.client.transport import Connection


class StreamEntry(msgspec.Struct, gc=False, omit_defaults=True):
    """A record for PutRecords."""

    Data: bytes
    PartitionKey: str
    ExplicitHashKey: str | None = None


class DeliveryEntry(msgspec.Struct, gc=False):
    """A record for PutRecordBatch."""

    Data: bytes


Entry = StreamEntry | DeliveryEntry


class PutTarget(NamedTuple):
    """Something that takes batches of records, and AWS's limits of a request and of a record's data and key."""

    api: Api
    operation: str
    name_member: str
    name: str
    results_member: str
    records_max: int
    bytes_max: int
    record_bytes_max: int


def into_stream(name_or_arn: str) -> PutTarget:
    """A data stream. Requests stay at half of the 10 MiB that PutRecords takes: they stay quick."""
    member = "StreamARN" if name_or_arn.startswith("arn:") else "StreamName"
    return PutTarget(KINESIS, "PutRecords", member, name_or_arn, "Records", 500, 5 * MIB, MIB)


def into_delivery_stream(name: str) -> PutTarget:
    """A delivery stream."""
    return PutTarget(
        FIREHOSE, "PutRecordBatch", "DeliveryStreamName", name, "RequestResponses", 500, 4 * MIB, 1000 * KIB
    )


class Outcome(NamedTuple):
    """What became of a request: the indices of the entries that did not get in, and why the first of them did not."""

    failed: Sequence[int]
    problem: ClientError | None = None


class Backoff(NamedTuple):
    """How long to wait before another attempt: doubling from `initial_ms` up to `max_ms`, give or take `jitter`."""

    initial_ms: int = 100
    max_ms: int = 10_000
    jitter: float = 0.3

    def delay_ms(self, attempt: int) -> float:
        """Before the attempt after `attempt` (from 0) failed ones."""
        delay_ms = min(self.max_ms, self.initial_ms << min(attempt, 30))
        return delay_ms * random.uniform(1 - self.jitter, 1 + self.jitter)  # noqa: S311 - no secret


async def put_once(connection: Connection, target: PutTarget, entries: Sequence[Entry]) -> Outcome:
    """One request. What may pass by itself is an Outcome; CallErrors that will not pass are raised."""
    body = msgspec.json.encode({target.name_member: target.name, "Records": entries})
    try:
        reply = await connection.call_encoded(target.operation, body)
        return _outcome(target, reply, len(entries))
    except (CallError, Unreachable) as error:
        if not error.is_passing:
            raise
        return Outcome(range(len(entries)), error)


async def put_all(
    connection: Connection,
    target: PutTarget,
    entries: Sequence[Entry],
    *,
    backoff: Backoff = Backoff(),  # noqa: B008 - immutable
    on_attempt: Callable[[Sequence[int], Outcome], None] | None = None,
) -> None:
    """Put until every entry is in: what fails, and only that, is put again, in order, for as long as it takes.

    `on_attempt` is told after each request which entries (indices into `entries`) were sent and what became of them:
    `Outcome.failed` has indices into `entries` as well. Raises CallErrors that will not pass: the entries that the last
    attempt sent are not in. Break it off by cancelling.
    """
    waiting: Sequence[int] = range(len(entries))
    attempt = 0
    while True:
        sent = waiting
        outcome = await put_once(connection, target, [entries[i] for i in sent] if attempt else entries)
        waiting = [sent[i] for i in outcome.failed]
        if on_attempt is not None:
            on_attempt(sent, Outcome(waiting, outcome.problem))
        if not waiting:
            return
        progressed = len(waiting) < len(sent)
        attempt = 1 if progressed else attempt + 1
        await asyncio.sleep(backoff.delay_ms(attempt - 1) / 1000)


class _Reply(msgspec.Struct):
    FailedRecordCount: int = 0
    FailedPutCount: int = 0


class _Result(msgspec.Struct):
    ErrorCode: str | None = None
    ErrorMessage: str | None = None


def _outcome(target: PutTarget, reply: bytes, count: int) -> Outcome:
    try:
        counts = msgspec.json.decode(reply, type=_Reply)
        if not counts.FailedRecordCount and not counts.FailedPutCount:
            return Outcome(())
        results = msgspec.json.decode(reply, type=dict[str, msgspec.Raw])[target.results_member]
        entries = msgspec.json.decode(results, type=list[_Result])
    except (msgspec.MsgspecError, KeyError) as error:
        raise Unreachable(f"{target.operation}: the answer is no answer: {error}") from error
    failed = [i for i, entry in enumerate(entries) if entry.ErrorCode]
    if len(entries) != count or not failed:  # nobody can tell which entries are not in
        raise Unreachable(f"{target.operation}: the answer has {len(entries)} results for {count} entries")
    first = entries[failed[0]]
    return Outcome(failed, CallError(target.operation, first.ErrorCode or "", first.ErrorMessage or "", 200))
