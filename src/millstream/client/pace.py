"""How often a shard is asked for records. No clock of its own: it says how long to wait after each answer.

AWS takes five GetRecords a second and shard, of all readers together, and 2 MiB a second. So: as quickly as records
come while there is a backlog, but five times a second where that is the limit; ever more seldom while nothing comes, up
to `idle_s_max`; and slower each time the service says that it is too much.
"""

from __future__ import annotations

import random

CALL_S = 0.2  # five a second
_THROTTLED_S_MAX = 5.0
_IDLE_GROWTH = 1.5


class Pace:
    """The pace of one shard; `call_s` is the shortest time from call to call."""

    def __init__(self, call_s: float, idle_s_max: float, jitter: random.Random) -> None:
        self._least_s = call_s
        self._call_s = call_s
        self._idle_s_max = max(idle_s_max, call_s)
        self._idle_s = CALL_S
        self._jitter = jitter

    def after_records(self, took_s: float, *, is_behind: bool) -> float:
        """How long to wait after an answer with records, which was `took_s` in coming."""
        self._idle_s = CALL_S
        wait_s = max(0.0, (self._call_s if is_behind else max(self._call_s, CALL_S)) - took_s)
        self._call_s = max(self._least_s, self._call_s * 0.9)
        return wait_s

    def after_nothing(self, *, is_behind: bool) -> float:
        """How long to wait after an answer without records; behind the tip such an answer is a step over a gap."""
        if is_behind:
            return self._call_s
        wait_s = max(self._idle_s, self._call_s)
        self._idle_s = min(self._idle_s_max, self._idle_s * _IDLE_GROWTH)
        return wait_s

    def after_throttle(self) -> float:
        """How long to wait after being told that it is too much."""
        self._call_s = min(_THROTTLED_S_MAX, max(CALL_S, self._call_s * 1.5))
        return self._call_s * self._jitter.uniform(1.0, 1.5)
