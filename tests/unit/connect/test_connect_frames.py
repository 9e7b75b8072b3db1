"""Messages are taken out of AMQP's frames, however the bytes come; everything else is left for others."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import body, commands, frame, header

from millstream.connect.rabbitmq.frames import HEARTBEAT, BrokenProtocol, DeliveryParser, Message

QOS_OK = frame.marshal(commands.Basic.QosOk(), 3)


def delivery(channel: int, tag: int, data: bytes, *, part_bytes: int = 7, key: str = "orders.new") -> list[bytes]:
    """The frames of a message, as a broker sends them."""
    parts = [data[at : at + part_bytes] for at in range(0, len(data), part_bytes)]
    deliver = commands.Basic.Deliver("consumer", tag, tag % 2 == 0, "exchange", key)
    properties = commands.Basic.Properties(content_type="text/plain", headers={"tenant": "a"})
    return [
        frame.marshal(deliver, channel),
        frame.marshal(header.ContentHeader(0, len(data), properties), channel),
        *(frame.marshal(body.ContentBody(part), channel) for part in parts),
    ]


class Taken:
    """What a parser gave."""

    def __init__(self, body_bytes_max: int = 1000) -> None:
        self.messages: list[tuple[int, Message]] = []
        self.others = b""
        self._parser = DeliveryParser(lambda channel, message: self.messages.append((channel, message)), body_bytes_max)

    def feed(self, data: bytes, size: int) -> Taken:
        for at in range(0, len(data), size):
            self.others += self._parser.feed(data[at : at + size])
        return self

    def bodies(self, channel: int) -> list[bytes | None]:
        return [message.body for of, message in self.messages if of == channel]


@pytest.mark.parametrize("size", [1, 2, 7, 8, 64, 10_000])
def test_messages_of_several_channels_come_whole(size: int) -> None:
    first, second = delivery(1, 10, b"hello, world"), delivery(2, 11, b"another message")
    mixed = [
        first[0],
        second[0],
        QOS_OK,
        second[1],
        HEARTBEAT,
        *first[1:],
        second[2],
        *delivery(1, 12, b""),
        *second[3:],
    ]
    taken = Taken().feed(b"".join(mixed), size)
    assert taken.bodies(1) == [b"hello, world", b""]
    assert taken.bodies(2) == [b"another message"]
    assert taken.others == QOS_OK + HEARTBEAT
    assert [(message.tag, message.is_redelivered) for _, message in taken.messages] == [
        (10, True),
        (12, True),
        (11, False),
    ]
    assert {message.routing_key for _, message in taken.messages} == {b"orders.new"}


def test_a_large_body_is_not_kept() -> None:
    taken = Taken(body_bytes_max=20).feed(b"".join(delivery(1, 1, b"x" * 21) + delivery(1, 2, b"y" * 20)), 9)
    assert [(message.body, message.size_bytes) for _, message in taken.messages] == [(None, 21), (b"y" * 20, 20)]


@pytest.mark.parametrize(
    "data",
    [
        b"AMQP\x00\x00\x09\x01",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x01\x00\x01\xff\xff\xff\xff\x00\x00\x00",
        HEARTBEAT[:-1] + b"\x00",
        delivery(1, 1, b"x")[0] * 2,
        delivery(1, 1, b"x")[0] + delivery(1, 1, b"x")[2],
        b"".join(delivery(1, 1, b"x" * 7)[:2]) + delivery(1, 1, b"x" * 8, part_bytes=8)[2],
        b"\x01\x00\x01\x00\x00\x00\x05\x00\x3c\x00\x3c\xff\xce",
    ],
)
def test_what_is_no_amqp_is_refused(data: bytes) -> None:
    with pytest.raises(BrokenProtocol):
        Taken().feed(data, len(data))


@given(st.binary(max_size=300), st.integers(1, 300))
def test_garbage_is_refused_or_left_to_others(garbage: bytes, size: int) -> None:
    data = b"".join(delivery(1, 1, b"good")) + garbage
    taken = Taken()
    with suppress(BrokenProtocol):
        taken.feed(data, size)
    assert taken.bodies(1)[:1] == [b"good"]
