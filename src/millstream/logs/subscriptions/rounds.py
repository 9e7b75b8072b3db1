"""Which records may be put together, so that those of a log stream arrive in order although some puts fail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from millstream.base.units import KIB, MIB
from millstream.logs.subscriptions.ports import Outgoing
from millstream.logs.subscriptions.records import Rendered

RECORDS_MAX = 500
BYTES_MAX = 4 * MIB - 512 * KIB
"""Of data; PutRecordBatch takes 4 MiB, PutRecords 5 MiB with the partition keys."""


def rounds_of(rendered: Iterable[Rendered]) -> Iterator[list[Outgoing]]:
    """The records in rounds to be put one after the other: a log stream has at most one record in each."""
    by_turn: list[list[Outgoing]] = []
    turns: dict[str, int] = {}
    for log_stream, record in rendered:
        turn = turns.get(log_stream, 0)
        turns[log_stream] = turn + 1
        if turn == len(by_turn):
            by_turn.append([])
        by_turn[turn].append(record)
    for records in by_turn:
        yield from _bounded(records)


def _bounded(records: Iterable[Outgoing]) -> Iterator[list[Outgoing]]:
    """The records, as many at a time as one call takes."""
    part: list[Outgoing] = []
    size_bytes = 0
    for record in records:
        if part and (len(part) == RECORDS_MAX or size_bytes + len(record.data) > BYTES_MAX):
            yield part
            part, size_bytes = [], 0
        part.append(record)
        size_bytes += len(record.data)
    if part:
        yield part
