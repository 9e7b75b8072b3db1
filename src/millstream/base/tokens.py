"""Token buckets: rates that are kept over time, whatever comes at once."""

from __future__ import annotations


class TokenBucket:
    """Refills at `rate_per_s` up to one second's worth; may go below zero."""

    __slots__ = ("_at_s", "_rate_per_s", "level")

    def __init__(self, rate_per_s: float, now_s: float) -> None:
        self._rate_per_s = rate_per_s
        self._at_s = now_s
        self.level = rate_per_s

    def refill(self, now_s: float) -> None:
        """Bring the level to what it is at `now_s`."""
        self.level = min(self._rate_per_s, self.level + (now_s - self._at_s) * self._rate_per_s)
        self._at_s = now_s

    def take(self, amount: float, now_s: float) -> bool:
        """Take `amount` if it is there; an amount larger than the bucket needs a full one and leaves a debt."""
        self.refill(now_s)
        if self.level < min(amount, self._rate_per_s):
            return False
        self.level -= amount
        return True
