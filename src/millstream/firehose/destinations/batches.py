"""Parcels cut into what is sent in one request: never much more than a request's records in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor
from typing import NamedTuple, TypeVar

from millstream.base.units import MIB
from millstream.firehose.ports import Parcel

T = TypeVar("T")

_PARCELS_MAX = 4
_UNDER_WAY_BYTES_MAX = 32 * MIB


def parcels_max(buffer_bytes: int) -> int:
    """How many parcels may be under way at once: one at least, and no more than memory should hold of failed ones."""
    return max(1, min(_PARCELS_MAX, _UNDER_WAY_BYTES_MAX // max(1, buffer_bytes)))


class Batch(NamedTuple):
    """Records of a parcel; `first_ordinal` counts the parcel's records from 0."""

    first_ordinal: int
    records: list[bytes]
    size_bytes: int


def batches(parcel: Parcel, *, bytes_max: int, count_max: int) -> Iterator[Batch]:
    """Blocking. The parcel's records in batches within both limits, the same ones each time.

    A record that is larger than `bytes_max` is a batch of its own.
    """
    first_ordinal, records, size_bytes = 0, list[bytes](), 0
    for some in parcel.record_lists():
        for record in some:
            if records and (size_bytes + len(record) > bytes_max or len(records) == count_max):
                yield Batch(first_ordinal, records, size_bytes)
                first_ordinal, records, size_bytes = first_ordinal + len(records), [], 0
            records.append(record)
            size_bytes += len(record)
    if records:
        yield Batch(first_ordinal, records, size_bytes)


async def stepwise(threads: Executor, steps: Iterator[T]) -> AsyncIterator[T]:
    """What a blocking iterator yields, each step taken in a thread. It must not yield None."""
    loop = asyncio.get_running_loop()
    while (step := await loop.run_in_executor(threads, next, steps, None)) is not None:
        yield step
