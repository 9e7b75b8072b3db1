"""The records that wait in delivery streams' own logs: kept until they are delivered, however long that takes.

A log is trimmed up to the lowest position that one of the delivery stream's deliveries would start again from. As long
as one of those that there must be has not said where it stands, nothing is dropped.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from millstream.base.errors import MillstreamError
from millstream.base.scheduler import Cancel, Scheduler
from millstream.firehose.configuration import KEEPS_ALL
from millstream.firehose.model import DeliveryStream, StreamStatus
from millstream.firehose.progress import BACKUP_DELIVERY, FUNCTION_STAGE, MAIN_DELIVERY, read_saved
from millstream.firehose.registry import Handle, Registry

_log = logging.getLogger(__name__)

Positions = Mapping[str, Mapping[str, int]]
"""Where deliveries would start again: log positions by delivery stream id and delivery."""


def read_positions(path: Path) -> Positions:
    """Blocking. What the worker has saved in its catalog at `path`; nothing if it never ran. Raises CatalogError."""
    saved = read_saved(path, _Position)
    return {
        stream_id: {delivery: each.position for delivery, each in deliveries.items()}
        for stream_id, deliveries in saved.items()
    }


class _Position(msgspec.Struct):
    """What is looked at of a `Progress`."""

    position: int


def delivered_position(stream: DeliveryStream, positions: Mapping[str, int]) -> int:
    """The position in the delivery stream's log below which no delivery needs anything any more."""
    configuration = stream.destination.configuration
    by_function = FUNCTION_STAGE in positions or _has_function(configuration.get("ProcessingConfiguration") or {})
    needed = {FUNCTION_STAGE if by_function else MAIN_DELIVERY}
    if BACKUP_DELIVERY in positions or configuration.get("S3BackupMode") in KEEPS_ALL:
        needed.add(BACKUP_DELIVERY)
    return min(positions.get(delivery, 0) for delivery in needed)


def _has_function(processing: Mapping[str, object]) -> bool:
    processors = processing.get("Processors")
    return (
        bool(processing.get("Enabled"))
        and isinstance(processors, list)
        and any(processor.get("Type") == "Lambda" for processor in processors)
    )


class Backlog:
    """Trims the logs of all delivery streams every `interval_ms`, from `start` to `stop`.

    `floor` says for a delivery stream's id from where others than its deliveries still read its log; None: no one does.
    """

    def __init__(
        self,
        registry: Registry,
        scheduler: Scheduler,
        read: Callable[[], Positions],
        interval_ms: int,
        floor: Callable[[str], int | None] = lambda _: None,
    ) -> None:
        self._registry = registry
        self._scheduler = scheduler
        self._read = read
        self._interval_ms = interval_ms
        self._floor = floor
        self._cancel: Cancel | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    def start(self) -> None:
        """Begin, with a first round after the interval."""
        self._cancel = self._scheduler.call_later(self._interval_ms, self._begin)

    async def stop(self) -> None:
        """End, and return when no round is under way."""
        self._stopped = True
        if self._cancel is not None:
            self._cancel()
        if self._task is not None:
            await self._task

    async def trim(self) -> None:
        """Drop from every log what all deliveries are done with."""
        handles = [handle for handle in self._registry if handle.log is not None]
        if not handles:
            return
        loop = asyncio.get_running_loop()
        try:
            positions = await loop.run_in_executor(None, self._read)
        except (MillstreamError, msgspec.MsgspecError, OSError) as error:
            _log.warning("cannot tell what is delivered, so nothing is dropped: %s", error)
            return
        for handle in handles:
            await self._trim(handle, positions.get(handle.stream.stream_id, {}))

    async def _trim(self, handle: Handle, positions: Mapping[str, int]) -> None:
        position = delivered_position(handle.stream, positions)
        if (needed := self._floor(handle.stream.stream_id)) is not None:
            position = min(position, needed)
        if handle.log is None or position == 0 or handle.stream.status is StreamStatus.DELETING:
            return
        try:
            await asyncio.get_running_loop().run_in_executor(None, handle.log.trim_to, position)
        except (MillstreamError, OSError) as error:
            _log.warning("delivery stream %s: cannot drop what is delivered: %s", handle.stream.arn, error)

    def _begin(self) -> None:
        if not self._stopped:
            self._task = asyncio.get_running_loop().create_task(self._round())

    async def _round(self) -> None:
        await self.trim()
        if not self._stopped:
            self.start()
