"""AWS's quotas: how much may be put into a delivery stream a second, and how often the API may be called.

A bucket holds one second's worth, of records, bytes and calls each. Source: Amazon Data Firehose developer guide,
"Quota"; the calls' wording was observed on AWS.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from millstream.base.clock import Clock
from millstream.base.tokens import TokenBucket
from millstream.base.units import MIB
from millstream.wire import CallContext
from millstream.wire.faults import ThrottlingException

CALLS_PER_S = 5

_LARGE_REGIONS = frozenset({"us-east-1", "us-west-2", "eu-west-1"})
_BUCKETS_MAX = 10_000

Handler = Callable[[CallContext, Any], Any]


class Quota(NamedTuple):
    """What may be put directly into one delivery stream, by PutRecord and PutRecordBatch together."""

    records_per_s: int
    requests_per_s: int
    bytes_per_s: int


def quota_of(region: str) -> Quota:
    """The default quota of a delivery stream in that region."""
    return Quota(500_000, 2_000, 5 * MIB) if region in _LARGE_REGIONS else Quota(100_000, 1_000, MIB)


class PutLimits:
    """What may still be put into a delivery stream now. `enabled` False: everything."""

    __slots__ = ("_bytes", "_clock", "_records", "_requests", "enabled")

    def __init__(self, clock: Clock, quota: Quota, enabled: bool) -> None:
        now_s = clock.monotonic()
        self.enabled = enabled
        self._clock = clock
        self._records = TokenBucket(quota.records_per_s, now_s)
        self._requests = TokenBucket(quota.requests_per_s, now_s)
        self._bytes = TokenBucket(quota.bytes_per_s, now_s)

    def admit_request(self) -> bool:
        """Whether one more request may be made now."""
        return not self.enabled or self._requests.take(1, self._clock.monotonic())

    def admit(self, sizes_bytes: Sequence[int]) -> list[int]:
        """The places of the records that do not fit, decided in order; the others are counted as put."""
        if not self.enabled:
            return []
        now_s = self._clock.monotonic()
        self._records.refill(now_s)
        refused = []
        for place, size_bytes in enumerate(sizes_bytes):
            if self._records.level >= 1 and self._bytes.take(size_bytes, now_s):
                self._records.level -= 1
            else:
                refused.append(place)
        return refused


class CallRates:
    """Token buckets by operation, account and region, for the calls that are not puts."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[tuple[str, str, str], TokenBucket] = {}

    def limited(self, handler: Handler) -> Handler:
        """`handler`, raising ThrottlingException for calls above CALLS_PER_S."""

        def limited_handler(context: CallContext, params: Any) -> Any:
            self._take(context)
            return handler(context, params)

        return limited_handler

    def _take(self, context: CallContext) -> None:
        key = (context.operation, context.account, context.region)
        now_s = self._clock.monotonic()
        bucket = self._buckets.pop(key, None) or TokenBucket(CALLS_PER_S, now_s)
        self._buckets[key] = bucket
        if len(self._buckets) > _BUCKETS_MAX:
            del self._buckets[next(iter(self._buckets))]  # the one least recently used: surely full again
        if not bucket.take(1, now_s):
            raise ThrottlingException("Rate exceeded")
