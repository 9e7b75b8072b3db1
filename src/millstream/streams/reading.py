"""Reading a shard as GetRecords and SubscribeToShard see it: what is visible, how far behind, whether it has ended."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import NamedTuple

from millstream.base.clock import Clock
from millstream.base.errors import MillstreamError
from millstream.log import RecordLog, RecordRun
from millstream.streams.failures import fault_of_read
from millstream.streams.model import Shard
from millstream.streams.registry import StreamHandle


class Reading(NamedTuple):
    """Records from one place of a shard on.

    `children` is empty until the end of a closed shard is reached, and never empty then: clients take one without the
    other for an error.
    """

    runs: list[RecordRun]
    next_offset: int
    behind_ms: int
    children: list[Shard]

    @property
    def size_bytes(self) -> int:
        """Data and partition keys together."""
        return sum(sum(map(len, run.data)) + sum(map(len, run.keys)) for run in self.runs)


async def read_shard(
    handle: StreamHandle, shard: Shard, offset: int, *, records_max: int, bytes_max: int, clock: Clock
) -> Reading:
    """Read on from `offset`. At the shard's tip this touches no file. Raises InternalFailure if the disk fails."""
    log = handle.log
    runs: list[RecordRun] = []
    first, end = log.shard_range(shard.index)
    if offset < end:
        visible_ms = handle.stream.trim_horizon_ms(clock.now_ms())
        newest_ms = log.last_arrival_ms(shard.index)
        if newest_ms is None or newest_ms < visible_ms:
            offset = end
        else:
            read = partial(_read_visible, log, shard.index, offset, visible_ms, records_max, bytes_max)
            try:
                offset, runs = await asyncio.get_running_loop().run_in_executor(None, read)
            except MillstreamError as error:
                raise fault_of_read(error, shard.shard_id) from error
            first, end = log.shard_range(shard.index)
    offset = max(min(offset, end), first)
    behind_ms = 0
    if runs:
        last = runs[-1]
        offset = last.first_offset + len(last.data)
        if offset < end:
            behind_ms = max(clock.now_ms() - last.arrival_ms, 0)
    return Reading(runs, offset, behind_ms, _children_at_end(handle, shard.index, offset))


def _read_visible(
    log: RecordLog, shard: int, offset: int, visible_ms: int, records_max: int, bytes_max: int
) -> tuple[int, list[RecordRun]]:
    runs = log.read(shard, offset, records_max=records_max, bytes_max=bytes_max)
    if runs and runs[0].arrival_ms < visible_ms:
        offset = log.find_time(shard, visible_ms)
        runs = log.read(shard, offset, records_max=records_max, bytes_max=bytes_max)
    return offset, runs


def _children_at_end(handle: StreamHandle, index: int, offset: int) -> list[Shard]:
    shard = handle.shards.get(index)
    if shard is None or shard.is_open or shard.end_offset is None or offset < shard.end_offset:
        return []
    return handle.children.get(index, [])
