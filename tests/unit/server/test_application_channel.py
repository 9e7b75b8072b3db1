"""What an application's process and its parent say to each other."""

from __future__ import annotations

import asyncio
import struct

import msgspec
import pytest

from millstream.analytics.model import ResourceKind
from millstream.server.applications.channel import (
    Crashed,
    Progress,
    Put,
    PutDone,
    Stop,
    Tail,
    ToChild,
    ToParent,
    encode,
    receive_from_child,
    receive_from_parent,
)


def reader(content: bytes) -> asyncio.StreamReader:
    made = asyncio.StreamReader()
    made.feed_data(content)
    made.feed_eof()
    return made


async def test_messages_come_as_they_were_sent_until_the_end() -> None:
    said: list[ToParent] = [
        Put(1, ResourceKind.STREAM, "arn", [b"k"], [b"\x00\xff"]),
        Crashed("KeyError: 'k'"),
        Progress(rows_in=3, streams={"OUT": 1}),
    ]
    stream = reader(b"".join(encode(each) for each in said))
    assert [await receive_from_child(stream) for _ in said] == said
    assert await receive_from_child(stream) is None
    told: list[ToChild] = [PutDone(1, [0], "Code", "why"), Tail(2, "OUT", -1, 5), Stop()]
    stream = reader(b"".join(encode(each) for each in told))
    assert [await receive_from_parent(stream) for _ in told] == told


@pytest.mark.parametrize("content", [b"", b"\x01", b"\x05\x00\x00\x00ab", struct.pack("<I", 1 << 30) + b"x"])
async def test_what_is_cut_or_too_long_is_the_end(content: bytes) -> None:
    assert await receive_from_child(reader(content)) is None


async def test_what_is_no_message_is_an_error() -> None:
    with pytest.raises(msgspec.DecodeError):
        await receive_from_child(reader(b"\x01\x00\x00\x00\xc1"))
