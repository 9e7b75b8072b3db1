"""Messages out of what a broker sends: AMQP 0-9-1's frames, without I/O.

    frame     type(1) channel(2) size(4) payload(size) 0xCE
    delivery  method frame: class 60, method 60: consumer tag, delivery tag(8), redelivered(1), exchange, routing key
              header frame: class(2) weight(2) body size(8) property flags(2) properties
              body frames: as many as the body takes; none for an empty body

Frames of several channels may be mixed, those of one message stand in order. Only deliveries are taken out; every other
frame is for whoever speaks the rest of the protocol. A Python object for each frame and a task for each message, as
general clients make them, cost several times as much as all else. Source: the AMQP 0-9-1 specification, sections 2.3.5
and 4.2.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct, error
from typing import NamedTuple

from millstream.base.units import MIB

FRAME_BYTES_MAX = 16 * MIB
HEARTBEAT = b"\x08\x00\x00\x00\x00\x00\x00\xce"

_HEAD = Struct(">BHI")
_HEAD_BYTES = 7
_METHOD, _HEADER, _BODY = 1, 2, 3
_KINDS = frozenset((_METHOD, _HEADER, _BODY, 8))
_DELIVER = b"\x00\x3c\x00\x3c"
_CLOSE = b"\x00\x0a\x00\x32"
_TAG = Struct(">QB")
_BODY_SIZE = Struct(">4xQ")
_END = 0xCE


class BrokenProtocol(Exception):
    """What came is no AMQP: the connection is of no use any more."""


class Closed(NamedTuple):
    """Why the broker closed the connection."""

    code: int
    text: str


class Message(NamedTuple):
    """A message that a consumer got. `properties` are as on the wire, from their flags on."""

    tag: int
    is_redelivered: bool
    routing_key: bytes
    properties: bytes
    body: bytes | None
    """None: it is larger than it may be, and was not kept."""
    size_bytes: int


class _Coming:
    """A message that is not whole yet."""

    __slots__ = ("is_redelivered", "parts", "properties", "routing_key", "size_bytes", "tag", "waiting_bytes")

    def __init__(self, tag: int, is_redelivered: bool, routing_key: bytes) -> None:
        self.tag = tag
        self.is_redelivered = is_redelivered
        self.routing_key = routing_key
        self.properties = b""
        self.size_bytes = -1
        self.waiting_bytes = 0
        self.parts: list[bytes] | None = None

    def message(self) -> Message:
        body = None if self.parts is None else b"".join(self.parts)
        return Message(self.tag, self.is_redelivered, self.routing_key, self.properties, body, self.size_bytes)


class DeliveryParser:
    """Takes a connection's bytes apart. `on_message` gets channel and message; bodies above `body_bytes_max` not."""

    def __init__(self, on_message: Callable[[int, Message], None], body_bytes_max: int) -> None:
        self._on_message = on_message
        self._body_bytes_max = body_bytes_max
        self._rest = b""
        self._coming: dict[int, _Coming] = {}
        self.closed: Closed | None = None

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes of the connection; returns those frames among them that are of no delivery.

        Raises BrokenProtocol.
        """
        if self._rest:
            data = self._rest + data
        position, end, others = 0, len(data), []
        coming = self._coming
        while end - position > _HEAD_BYTES:
            kind, channel, size = _HEAD.unpack_from(data, position)
            start = position + _HEAD_BYTES
            following = start + size + 1
            if kind not in _KINDS or size > FRAME_BYTES_MAX:
                raise BrokenProtocol(f"no AMQP frame: {data[position : position + 8]!r}")
            if following > end:
                break
            if data[following - 1] != _END:
                raise BrokenProtocol("a frame without its end")
            if kind == _METHOD and data.startswith(_DELIVER, start):
                self._deliver(channel, data[start : following - 1])
            elif channel in coming and kind != 8:
                self._content(channel, kind, data[start : following - 1])
            else:
                others.append(data[position:following])
                if data.startswith(_CLOSE, start):
                    self._note_close(data[start : following - 1])
            position = following
        self._rest = data[position:]
        return b"".join(others)

    def _deliver(self, channel: int, payload: bytes) -> None:
        """A message begins."""
        if channel in self._coming:
            raise BrokenProtocol("a message within a message")
        try:
            at = 5 + payload[4]
            tag, redelivered = _TAG.unpack_from(payload, at)
            at += 9
            at += 1 + payload[at]
            self._coming[channel] = _Coming(tag, redelivered != 0, payload[at + 1 : at + 1 + payload[at]])
        except (IndexError, error) as broken:
            raise BrokenProtocol("a delivery that breaks off") from broken

    def _note_close(self, payload: bytes) -> None:
        """connection.close: code(2), text. Noted here, because aiormq drops the reason while it connects."""
        if len(payload) > 6:
            text = payload[7 : 7 + payload[6]].decode("utf-8", "backslashreplace")
            self.closed = Closed(int.from_bytes(payload[4:6], "big"), text)

    def _content(self, channel: int, kind: int, payload: bytes) -> None:
        message = self._coming[channel]
        if kind == _HEADER and message.size_bytes < 0 and len(payload) >= 14:
            (message.size_bytes,) = _BODY_SIZE.unpack_from(payload)
            message.waiting_bytes = message.size_bytes
            message.properties = payload[12:]
            if message.size_bytes <= self._body_bytes_max:
                message.parts = []
        elif kind == _BODY and 0 < len(payload) <= message.waiting_bytes:
            message.waiting_bytes -= len(payload)
            if message.parts is not None:
                message.parts.append(payload)
        else:
            raise BrokenProtocol("the frames of a message are not in order")
        if not message.waiting_bytes:
            del self._coming[channel]
            self._on_message(channel, message.message())
