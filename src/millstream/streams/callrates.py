"""How often each control-plane operation may be called.

Source: the operations' documentation in the service model; Kinesis developer guide, "Quotas and limits".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, NamedTuple

from millstream.base.clock import Clock
from millstream.base.tokens import TokenBucket
from millstream.streams.arns import parse_consumer_arn, parse_stream_arn
from millstream.wire.context import CallContext
from millstream.wire.faults import LimitExceededException

Handler = Callable[[CallContext, Any], Any]

_BUCKETS_MAX = 10_000


class Scope(Enum):
    """What shares one allowance."""

    ACCOUNT = "account"
    STREAM = "stream"


class CallRate(NamedTuple):
    """Calls per second of one operation, by each account (in a region) or on each stream."""

    per_s: int
    scope: Scope = Scope.ACCOUNT


class CallRates:
    """Token buckets by operation, account, region and, where the rate says so, stream."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[tuple[str, str, str, str], TokenBucket] = {}

    def limited(self, rate: CallRate, handler: Handler) -> Handler:
        """`handler`, raising LimitExceededException for calls above `rate`."""

        def limited_handler(context: CallContext, params: Mapping[str, Any]) -> Any:
            self.take(rate, context, _stream_of(params))
            return handler(context, params)

        return limited_handler

    def take(self, rate: CallRate, context: CallContext, stream: str) -> None:
        """Count one call on `stream` ("" if it names none). Raises LimitExceededException."""
        shared_by = stream if rate.scope is Scope.STREAM else ""
        key = (context.operation, context.account, context.region, shared_by)
        now_s = self._clock.monotonic()
        bucket = self._buckets.pop(key, None) or TokenBucket(rate.per_s, now_s)
        self._buckets[key] = bucket
        if len(self._buckets) > _BUCKETS_MAX:
            del self._buckets[next(iter(self._buckets))]  # the one least recently used: surely full again
        if not bucket.take(1, now_s):
            whose = f"stream {stream} under account {context.account}" if stream else f"account {context.account}"
            raise LimitExceededException(f"Rate exceeded for {whose}.")


def _stream_of(params: Mapping[str, Any]) -> str:
    """The stream that a call is on, as it is named in messages."""
    name: str | None = params.get("StreamName")
    if name is not None:
        return name
    arn = params.get("StreamARN") or params.get("ConsumerARN") or params.get("ResourceARN") or ""
    consumer = parse_consumer_arn(arn)
    stream = consumer.stream if consumer else parse_stream_arn(arn)
    return stream.name if stream else params.get("StreamId", "")
