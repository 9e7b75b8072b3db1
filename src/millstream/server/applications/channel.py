"""What an application's process and its parent say to each other, over the child's standard input and output.

    u32 length, little-endian | MessagePack of one of the structs below, by their tags

The child's own standard output is redirected to standard error before anything else happens, so that nothing gets in
between.
"""

from __future__ import annotations

import asyncio
import struct

import msgspec

from millstream.analytics.model import ResourceKind

_LENGTH = struct.Struct("<I")
_MESSAGE_BYTES_MAX = 64 << 20


class Begin(msgspec.Struct, tag="begin", frozen=True):
    """To the child, first: which application to run, and with which of the server's settings."""

    settings: dict[str, str]
    account: str
    region: str
    name: str
    application_id: str
    run: int


class Update(msgspec.Struct, tag="update", frozen=True):
    """To the child: the application has changed in the catalog."""


class Stop(msgspec.Struct, tag="stop", frozen=True):
    """To the child: save where you are, and end."""


class Tail(msgspec.Struct, tag="tail", frozen=True):
    """To the child: the newest rows of an in-application stream after row number `after`; it answers with Rows."""

    number: int
    stream: str
    after: int
    rows_max: int


class PutDone(msgspec.Struct, tag="put done", frozen=True):
    """To the child: what became of Put `number`: the places of the records that were not taken, and why (an error
    code, a text)."""

    number: int
    failed: list[int] = []
    code: str = ""
    message: str = ""


class Put(msgspec.Struct, tag="put", frozen=True):
    """To the parent: put these records."""

    number: int
    kind: ResourceKind
    arn: str
    keys: list[bytes]
    data: list[bytes]


class Running(msgspec.Struct, tag="running", frozen=True):
    """To the parent: at work, with version `version` of the application."""

    version: int


class Failed(msgspec.Struct, tag="failed", frozen=True):
    """To the parent: the application cannot go on, and why; the child ends."""

    message: str


class Crashed(msgspec.Struct, tag="crashed", frozen=True):
    """To the parent: a mistake of ours, in a line; the child ends, and another may go on from the last checkpoint."""

    message: str


class Told(msgspec.Struct, tag="told", frozen=True):
    """To the parent: something that the application's owner should know."""

    level: str
    message: str


class Progress(msgspec.Struct, tag="progress", frozen=True):
    """To the parent, every second or so: how it goes."""

    rows_in: int = 0
    rows_out: int = 0
    errors: int = 0
    behind_ms: int = 0
    behind_bytes: int = 0
    state_bytes: int = 0
    memory_bytes: int = 0
    streams: dict[str, int] = {}
    checkpoint_ms: int = 0
    checkpoint_position: int = 0


class Rows(msgspec.Struct, tag="rows", frozen=True):
    """To the parent: rows of an in-application stream, as JSON objects with ROWTIME; `next` is the row number to ask
    after; `known` False: there is no such stream."""

    number: int
    next: int
    rows: list[bytes]
    known: bool
    streams: dict[str, int] = {}


ToChild = Begin | Update | Stop | Tail | PutDone
ToParent = Put | Running | Failed | Crashed | Told | Progress | Rows

_ENCODER = msgspec.msgpack.Encoder()
_TO_CHILD = msgspec.msgpack.Decoder(ToChild)
_TO_PARENT = msgspec.msgpack.Decoder(ToParent)


def encode(message: ToChild | ToParent) -> bytes:
    """A message with its length."""
    body = _ENCODER.encode(message)
    return _LENGTH.pack(len(body)) + body


async def receive_from_child(reader: asyncio.StreamReader) -> ToParent | None:
    """The child's next message; None when there will be none. Raises msgspec.DecodeError for what is no message."""
    body = await _receive(reader)
    return None if body is None else _TO_PARENT.decode(body)


async def receive_from_parent(reader: asyncio.StreamReader) -> ToChild | None:
    """The parent's next message; None when there will be none."""
    body = await _receive(reader)
    return None if body is None else _TO_CHILD.decode(body)


async def _receive(reader: asyncio.StreamReader) -> bytes | None:
    try:
        head = await reader.readexactly(_LENGTH.size)
        (length,) = _LENGTH.unpack(head)
        if length > _MESSAGE_BYTES_MAX:
            return None
        return await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
