"""NextTokens: sealed, so that they cannot be made up, and good for five minutes.

A token holds when it was issued and where its listing goes on; the purpose ties it to one operation, account and
region.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from millstream.security import TokenInvalid
from millstream.wire.context import CallContext
from millstream.wire.faults import ExpiredNextTokenException, InvalidArgumentException

if TYPE_CHECKING:
    from millstream.streams.service import StreamsService

LIFE_MS = 300_000

Place = TypeVar("Place", bound=msgspec.Struct)


def seal_place(service: StreamsService, context: CallContext, place: msgspec.Struct) -> str:
    """The NextToken that takes up the listing at `place`."""
    payload = msgspec.msgpack.encode((service.clock.now_ms(), place))
    return service.sealer.seal(payload, _purpose(context))


def open_place(service: StreamsService, context: CallContext, token: str, kind: type[Place]) -> Place:
    """Where the listing of a caller's NextToken goes on.

    Raises InvalidArgumentException or ExpiredNextTokenException.
    """
    try:
        payload = service.sealer.open(token, _purpose(context))
    except TokenInvalid:
        raise InvalidArgumentException("NextToken is invalid.") from None
    decoded: Any = msgspec.msgpack.decode(payload, type=tuple[int, kind])  # type: ignore[valid-type]
    issued_ms, place = decoded
    if service.clock.now_ms() - issued_ms > LIFE_MS:
        raise ExpiredNextTokenException("The pagination token passed to the operation is expired.")
    return place  # type: ignore[no-any-return]


def _purpose(context: CallContext) -> bytes:
    return f"NextToken {context.operation} {context.account} {context.region}".encode()
