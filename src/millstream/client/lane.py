"""One shard on its way to the program: read ahead by one batch, handed out one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from millstream.client.checkpoints import Checkpoint
from millstream.client.errors import ClientError
from millstream.client.records import Record
from millstream.client.shardreader import Chunk


class LeaseLost(ClientError):
    """The shard is not read here any more: its records will be handed out again, from the last checkpoint on."""


class Batch:
    """Records of one shard, in order. Done when the next batch is asked for."""

    __slots__ = ("_checkpoint", "_end", "millis_behind", "records", "shard_id")

    def __init__(self, shard_id: str, chunk: Chunk, checkpoint: Callable[[Checkpoint], Awaitable[None]]) -> None:
        self.shard_id = shard_id
        self.records: list[Record] = chunk.records
        self.millis_behind: int = chunk.millis_behind
        self._end = chunk.end
        self._checkpoint = checkpoint

    def __len__(self) -> int:
        return len(self.records)

    @property
    def end(self) -> Checkpoint:
        """The place after the last record."""
        return self._end

    async def checkpoint(self, through: Record | None = None) -> None:
        """Save that all records up to here are done: to the end, or `through` one of them. Returns when it is saved.

        Raises LeaseLost, with nothing saved, if another worker has taken the shard over or the loop that the batch was
        for has been left; ValueError for a record of another batch.
        """
        if through is not None and through not in self.records:
            raise ValueError(f"the record {through.checkpoint} is none of this batch of {self.shard_id}")
        await self._checkpoint(self._end if through is None else through.checkpoint)


class Lane:
    """What a consumer knows of a shard that it reads."""

    __slots__ = ("handed_out", "in_hand", "is_lost", "ready", "shard_id", "task")

    def __init__(self, shard_id: str) -> None:
        self.shard_id = shard_id
        self.ready: Batch | None = None
        self.in_hand: Batch | None = None
        self.handed_out = asyncio.Event()
        self.is_lost = False
        self.task: asyncio.Task[None] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether all that was read is done with."""
        return self.ready is None and self.in_hand is None

    def stop(self) -> None:
        """Hand out nothing any more, note nothing any more."""
        self.is_lost = True
        self.ready = None
        if self.task is not None:
            self.task.cancel()
