"""Amazon Resource Names of streams and consumers: the text, and what it says.

Source: the patterns of StreamARN, ConsumerARN and ResourceARN in the service model.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_STREAM = re.compile(r"arn:aws[^:]*:kinesis:([^:]*):(\d{12}):stream/([a-zA-Z0-9_.-]{1,128})")
_CONSUMER = re.compile(_STREAM.pattern + r"/consumer/([a-zA-Z0-9_.-]{1,128}):(\d+)")


class StreamArn(NamedTuple):
    """What the ARN of a stream says."""

    region: str
    account: str
    name: str


class ConsumerArn(NamedTuple):
    """What the ARN of a consumer says."""

    stream: StreamArn
    name: str
    created_s: int


@lru_cache(maxsize=4096)
def parse_stream_arn(arn: str) -> StreamArn | None:
    """The stream that `arn` names; None if it is not the ARN of a stream. Cached: it is on the path of every put."""
    match = _STREAM.fullmatch(arn)
    return StreamArn(*match.groups()) if match else None


def parse_consumer_arn(arn: str) -> ConsumerArn | None:
    """The consumer that `arn` names; None if it is not the ARN of a consumer."""
    match = _CONSUMER.fullmatch(arn)
    if not match:
        return None
    region, account, stream, name, created_s = match.groups()
    return ConsumerArn(StreamArn(region, account, stream), name, int(created_s))
