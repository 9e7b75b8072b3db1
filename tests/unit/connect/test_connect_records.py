"""What becomes of a message: escaping, partition keys, size."""

from __future__ import annotations

import pytest

from millstream.base.units import KIB, MIB
from millstream.client.errors import ConfigurationError
from millstream.client.puts import DeliveryEntry, StreamEntry, into_delivery_stream, into_stream
from millstream.connect.rabbitmq.frames import Message
from millstream.connect.rabbitmq.records import Oversize, Shaper, Shaping, entry_bytes, key_getter


def message(body: bytes | None, *, routing_key: bytes = b"key") -> Message:
    return Message(1, False, routing_key, b"\x00\x00", body, 0 if body is None else len(body))


def keys(shaping: Shaping, routing_key: bytes) -> list[str]:
    made = Shaper(into_stream("s"), shaping).entries(message(b"x", routing_key=routing_key))
    return [entry.PartitionKey for entry in made if isinstance(entry, StreamEntry)]


def test_messages_are_left_as_they_are() -> None:
    data = b"a\tb\r\n\xff\x00"
    assert Shaper(into_delivery_stream("d"), Shaping()).entries(message(data)) == [DeliveryEntry(data)]
    assert Shaper(into_delivery_stream("d"), Shaping()).entries(message(b"")) == [DeliveryEntry(b"")]


def test_escaped_messages_are_lines() -> None:
    shaper = Shaper(into_delivery_stream("d"), Shaping(escape=True, newline=True))
    assert shaper.entries(message(b"a\tb\r\nc\\n\n")) == [DeliveryEntry(b"a\\tb\\r\\nc\\n\\n\n")]
    assert shaper.entries(message(b"")) == [DeliveryEntry(b"\n")]


def test_routing_keys_are_partition_keys() -> None:
    shaping = Shaping(key="routing-key")
    assert keys(shaping, b"orders.eu") == ["orders.eu"]
    assert keys(shaping, b"\xff") == ["\\xff"]
    (random_one,) = keys(shaping, b"")
    assert random_one


def test_a_long_partition_key_is_replaced_by_its_digest() -> None:
    shaping = Shaping(key="routing-key")
    (one,), (same,), (other,) = keys(shaping, b"\xff" * 100), keys(shaping, b"\xff" * 100), keys(shaping, b"\xfe" * 100)
    assert one == same != other
    assert len(one) == 64


def test_random_keys_differ() -> None:
    assert keys(Shaping(), b"same") != keys(Shaping(), b"same")


def test_a_record_and_its_key_fit() -> None:
    shaper = Shaper(into_stream("s"), Shaping(key="routing-key"))
    assert len(shaper.entries(message(b"x" * (MIB - 3)))) == 1
    assert shaper.entries(message(b"x" * (MIB - 2))) == []
    assert shaper.entries(message(None)) == []


def test_escaping_can_make_a_message_too_large() -> None:
    shaper = Shaper(into_delivery_stream("d"), Shaping(escape=True))
    assert shaper.entries(message(b"\n" * 600 * KIB)) == []


def test_large_messages_are_split_in_order() -> None:
    shaper = Shaper(into_stream("s"), Shaping(newline=True, oversize=Oversize.SPLIT, key="routing-key"))
    data = bytes(range(256)) * 10 * KIB
    pieces = shaper.entries(message(data))
    assert b"".join(piece.Data for piece in pieces) == data + b"\n"
    assert {piece.PartitionKey for piece in pieces if isinstance(piece, StreamEntry)} == {"key"}
    assert max(map(entry_bytes, pieces)) == MIB
    assert shaper.message_bytes_max > 1 << 40


@pytest.mark.parametrize("key", ["", "header", "header:", "routing_key", "header:" + "x" * 256])
def test_a_key_that_is_none(key: str) -> None:
    with pytest.raises(ConfigurationError, match="routing-key, header:NAME or random"):
        key_getter(key)
