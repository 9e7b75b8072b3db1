"""Following a group: its events in the order in which they were stored, from a position in its log on."""

from __future__ import annotations

from array import array
from typing import NamedTuple

from millstream.log import FollowedBlock
from millstream.logs.events import Place, event_id, times_of
from millstream.logs.group import OpenGroup
from millstream.logs.model import LogGroup


class EventRun(NamedTuple):
    """Events of one log stream that were stored together: columns of equal length, in order of offsets."""

    log_stream: str
    shard: int
    first_offset: int
    arrival_ms: int
    times_ms: array[int]
    messages: list[bytes]

    def ids(self, group: LogGroup) -> list[str]:
        """The events' ids, as FilterLogEvents shows them."""
        return [
            event_id(group.number, Place(time_ms, self.arrival_ms, self.shard, offset))
            for offset, time_ms in enumerate(self.times_ms, self.first_offset)
        ]


class Followed(NamedTuple):
    """What a follower read. Runs of log streams that were deleted are left out."""

    runs: list[EventRun]
    position: int


async def follow(opened: OpenGroup, position: int, bytes_max: int) -> Followed:
    """The events from a position on; see LogGroupStore.follow."""
    if opened.log.end_position() <= position:
        return Followed([], position)
    blocks = await opened.read_blocks(position, bytes_max)
    runs = [_run(block, opened) for block in blocks if block.shard in opened.by_shard]
    return Followed(runs, blocks[-1].end if blocks else position)


def _run(block: FollowedBlock, opened: OpenGroup) -> EventRun:
    state = opened.by_shard[block.shard]
    times_ms = times_of(block.keys.cut())
    return EventRun(state.stream.name, block.shard, block.first_offset, block.arrival_ms, times_ms, block.data.cut())
