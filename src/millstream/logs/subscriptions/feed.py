"""One subscription filter at work: a task that follows its group and puts what matches."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterator

from millstream.base.errors import MillstreamError
from millstream.base.units import MIB
from millstream.logs.patterns import compile_pattern
from millstream.logs.subscriptions.model import SubscriptionFilter
from millstream.logs.subscriptions.ports import Destinations, Groups, Outgoing
from millstream.logs.subscriptions.records import Rendered, render
from millstream.logs.subscriptions.rounds import rounds_of

GATHER_S = 0.1
"""How long new events are left to gather company: a record for each PutLogEvents would cost more than it is worth."""

READ_BYTES_MAX = 1 * MIB
BACKOFF_S_MIN = 0.1
BACKOFF_S_MAX = 10.0
SILENCE_S = 60.0
"""How often a filter in trouble says so: throttles of a busy one come and go many times a second."""

_log = logging.getLogger(__name__)


class Feed:
    """Delivers what matches `wanted`, from its position on, until it is cancelled.

    `advanced` is told each position that all before has been delivered. `turns` bounds how many feeds read and match at
    a time. Raises PatternError if the filter's pattern is none.
    """

    def __init__(
        self,
        wanted: SubscriptionFilter,
        groups: Groups,
        destinations: Destinations,
        turns: asyncio.Semaphore,
        advanced: Callable[[int], None],
    ) -> None:
        self._wanted = wanted
        self._pattern = compile_pattern(wanted.pattern)
        self._groups = groups
        self._destinations = destinations
        self._turns = turns
        self._advanced = advanced
        self._position = wanted.position
        self._news = asyncio.Event()
        self._silent_until_s = 0.0

    async def run(self) -> None:
        """Until cancelled, whatever happens."""
        unwatch = self._groups.watch(self._wanted.group_id, self._news.set)
        pauses = _pauses()
        try:
            while True:
                self._news.clear()
                try:
                    while await self._turn():
                        pauses = _pauses()
                except MillstreamError as error:
                    self._complain(f"its log group cannot be read: {error}")
                    await asyncio.sleep(next(pauses))
                    continue
                except Exception:  # noqa: BLE001 - whatever it was, the filter must not stand still for ever
                    _log.exception("%s: reading the log group failed; trying again", self._title)
                    await asyncio.sleep(next(pauses))
                    continue
                await self._news.wait()
                await asyncio.sleep(GATHER_S)
        finally:
            unwatch()

    async def _turn(self) -> bool:
        """Deliver what the next part of the log has; False at its end."""
        handle = self._groups.get_by_id(self._wanted.group_id)
        if handle is None:
            return False
        rendered: list[Rendered] = []
        async with self._turns:
            followed = await self._groups.follow(handle, self._position, bytes_max=READ_BYTES_MAX)
            if followed.runs:
                rendered = await asyncio.to_thread(render, self._wanted, self._pattern, handle.group, followed.runs)
        for records in rounds_of(rendered):
            await self._put(records)
        if followed.position == self._position:
            return False
        self._position = followed.position
        self._advanced(self._position)
        return True

    async def _put(self, records: list[Outgoing]) -> None:
        """Put the records, as often as it takes: later ones of their log streams must not overtake them."""
        pauses = _pauses()
        told = False
        while (outcome := await self._destinations.put(self._wanted.destination, records)).failed:
            arn = self._wanted.destination_arn
            told |= self._complain(f"{arn} does not take its records ({outcome.code}: {outcome.message})")
            records = [records[place] for place in outcome.failed]
            await asyncio.sleep(next(pauses))
        if told:
            _log.info("%s: delivers to %s again", self._title, self._wanted.destination_arn)

    def _complain(self, problem: str) -> bool:
        """Warn of what is wrong, unless that was done a little while ago; whether it was done now."""
        now_s = asyncio.get_running_loop().time()
        if now_s < self._silent_until_s:
            return False
        self._silent_until_s = now_s + SILENCE_S
        _log.warning("%s: %s; trying again for as long as it takes", self._title, problem)
        return True

    @property
    def _title(self) -> str:
        return f"subscription filter {self._wanted.name} of log group {self._wanted.group_name}"


def _pauses() -> Iterator[float]:
    """How long to wait before each time that something is tried again, in seconds; without end."""
    pause_s = BACKOFF_S_MIN
    while True:
        yield pause_s * random.uniform(0.7, 1.3)  # noqa: S311 - so that not all come at once
        pause_s = min(2 * pause_s, BACKOFF_S_MAX)
