"""What a service room gives the wire: a table of operations; and what their handlers may return."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

import msgspec

from millstream.wire.context import CallContext


class Encoded(msgspec.Struct, gc=False):
    """A reply that the handler has already encoded, in the codec of the call, in one part or in several.

    Several are for large replies: none of them has to be put into one buffer, here or in the HTTP server.
    """

    parts: list[bytes]

    @property
    def body(self) -> bytes:
        """The whole reply."""
        return b"".join(self.parts)


class EventStream(msgspec.Struct):
    """A reply of `application/vnd.amazon.eventstream` messages, `initial-response` first (see `eventstream`)."""

    messages: AsyncIterator[bytes]


Result = dict[str, Any] | Encoded | EventStream | None


class Operation(NamedTuple):
    """An API operation as the wire sees it.

    The handler gets the validated parameters: a dict of the members that are there, named as in the service model,
    blobs as bytes and timestamps as integer milliseconds since the epoch. Where `request` is given it gets an instance
    of that struct instead, whose fields are members of the operation's input shape; the constraints need not be
    repeated on the struct, they are taken from the model.

    A dict that is returned follows the same conventions; members that are None are left out.
    """

    name: str
    handler: Callable[[CallContext, Any], Result | Awaitable[Result]]
    request: type[msgspec.Struct] | None = None
