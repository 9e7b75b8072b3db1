"""Requests and replies of the hot path as structs. Fields are the members of the shapes."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from millstream.wire.context import Codec
from millstream.wire.operation import Encoded, Result

_escaped = re.compile(rb"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<half>\\u[dD][89a-fA-F]..)|\\.", re.DOTALL)
_encode_json = msgspec.json.Encoder().encode


class InputLogEvent(msgspec.Struct, gc=False):
    """InputLogEvent."""

    timestamp: int
    message: str


class Entity(msgspec.Struct, gc=False):
    """Entity: taken, and ignored."""

    keyAttributes: dict[str, str] | None = None  # noqa: N815
    attributes: dict[str, str] | None = None


class PutLogEventsInput(msgspec.Struct, gc=False):
    """PutLogEventsInput."""

    logGroupName: str  # noqa: N815
    logStreamName: str  # noqa: N815
    logEvents: list[InputLogEvent]  # noqa: N815
    sequenceToken: str | None = None  # noqa: N815
    entity: Entity | None = None


class OutputLogEvent(msgspec.Struct, gc=False):
    """OutputLogEvent."""

    timestamp: int
    message: str
    ingestionTime: int  # noqa: N815


class FilteredLogEvent(msgspec.Struct, gc=False):
    """FilteredLogEvent."""

    logStreamName: str  # noqa: N815
    timestamp: int
    message: str
    ingestionTime: int  # noqa: N815
    eventId: str  # noqa: N815


def with_whole_characters(body: bytes) -> bytes:
    """JSON in which escaped halves of surrogate pairs that stand alone are replaced.

    Collectors send such for text that they could not decode, and one of them must not hold up all that follows it.
    """
    return _escaped.sub(lambda found: rb"\ufffd" if found["half"] else found[0], body)


def encoded(codec: Codec, reply: dict[str, Any]) -> Result:
    """A reply with structs in it: JSON at once, and for the wire to encode in any other codec."""
    if codec is Codec.JSON:
        return Encoded([_encode_json({name: value for name, value in reply.items() if value is not None})])
    plain: dict[str, Any] = msgspec.to_builtins(reply)
    return plain
