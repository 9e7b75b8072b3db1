"""Saving progress: as soon as something is done it is written, and what is done meanwhile joins the next writing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from millstream.agent.checkpoints import CheckpointError, Checkpoints
from millstream.agent.records import FileId
from millstream.agent.tail import Tail
from millstream.agent.tail.progress import FileProgress

log = logging.getLogger("millstream.agent")

_PAUSE_S = 0.02  # between writings: at full speed there is always something to write
_RETRY_S = 1.0

_Changes = dict[str, dict[FileId, FileProgress]]


class Saver:
    """Writes the progress of all flows."""

    def __init__(self, checkpoints: Checkpoints, tails: Mapping[str, Tail]) -> None:
        """`tails` are by flow_id."""
        self._checkpoints = checkpoints
        self._tails = tails
        self._writer = ThreadPoolExecutor(1, "saver")  # one thread: later writings never overtake earlier ones
        self._dirty: set[str] = set()
        self._unsaved: _Changes = {}
        self._noted = asyncio.Event()
        self._is_failing = False

    def note(self, flow_id: str) -> None:
        """The flow has progressed."""
        self._dirty.add(flow_id)
        self._noted.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._noted.wait()
            self._noted.clear()
            await asyncio.sleep(_PAUSE_S if await self.save() else _RETRY_S)

    async def save(self) -> bool:
        """Write everything that was noted; whether that worked. What cannot be written is kept for the next time."""
        changes = self._take()
        try:
            await asyncio.get_running_loop().run_in_executor(self._writer, self._write, changes)
        except asyncio.CancelledError:
            self._keep(changes)  # the writer may not have begun: it is written once more
            raise
        except CheckpointError as error:
            self._keep(changes)
            if not self._is_failing:
                log.error("progress cannot be saved, records would be sent again after a restart: %s", error)
            self._is_failing = True
            return False
        if self._is_failing:
            self._is_failing = False
            log.info("progress is saved again")
        return True

    def close(self) -> None:
        """Returns when nothing is being written any more."""
        self._writer.shutdown()

    def _take(self) -> _Changes:
        changes, self._unsaved = self._unsaved, {}
        for flow_id in self._dirty:
            changes.setdefault(flow_id, {}).update({each.file: each for each in self._tails[flow_id].changed()})
        self._dirty.clear()
        return changes

    def _keep(self, changes: _Changes) -> None:
        for flow_id, progress in changes.items():
            self._unsaved[flow_id] = {**progress, **self._unsaved.get(flow_id, {})}
        self._noted.set()

    def _write(self, changes: _Changes) -> None:
        for flow_id, progress in changes.items():
            self._checkpoints.save(flow_id, progress.values())
