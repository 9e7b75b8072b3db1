"""Records of a stream out of messages of a queue: escaping, partition keys, messages that are too large. No I/O."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from enum import Enum
from typing import NamedTuple

from millstream.client.errors import ConfigurationError
from millstream.client.puts import DeliveryEntry, Entry, PutTarget, StreamEntry
from millstream.connect.rabbitmq.frames import Message
from millstream.connect.rabbitmq.headers import find_header

PARTITION_KEY_CHARACTERS_MAX = 256

GetKey = Callable[[Message], str | None]


class Oversize(Enum):
    """What becomes of a message that is larger than the destination's records may be."""

    REJECT = "reject"
    """To the queue's dead-letter exchange; RabbitMQ drops it if there is none."""
    SPLIT = "split"
    """Several records, in order, under the same partition key."""
    DROP = "drop"
    """Acknowledged, and logged."""


class Shaping(NamedTuple):
    """How a message becomes a record."""

    escape: bool = False
    newline: bool = False
    oversize: Oversize = Oversize.REJECT
    key: str = "random"


class Shaper:
    """Makes entries for one target out of messages."""

    def __init__(self, target: PutTarget, shaping: Shaping) -> None:
        self.target = target
        self.shaping = shaping
        self._is_stream = target.operation == "PutRecords"
        self._get_key = key_getter(shaping.key)
        self._end = b"\n" if shaping.newline else b""

    @property
    def message_bytes_max(self) -> int:
        """Messages above it need not be kept."""
        return 1 << 62 if self.shaping.oversize is Oversize.SPLIT else self.target.record_bytes_max

    def entries(self, message: Message) -> list[Entry]:
        """The message's records; none if it is too large and may not be split."""
        data = message.body
        if data is None:
            return []
        if self.shaping.escape:
            data = escaped(data)
        data += self._end
        if not self._is_stream:
            room = self.target.record_bytes_max
            return [DeliveryEntry(piece) for piece in self._pieces(data, room)]
        key = self._key(message)
        room = self.target.record_bytes_max - (len(key) if key.isascii() else len(key.encode()))
        return [StreamEntry(piece, key) for piece in self._pieces(data, room)]

    def _pieces(self, data: bytes, room: int) -> Sequence[bytes]:
        if len(data) <= room:
            return (data,)
        if self.shaping.oversize is not Oversize.SPLIT:
            return ()
        return [data[at : at + room] for at in range(0, len(data), room)]

    def _key(self, message: Message) -> str:
        key = self._get_key(message)
        if not key:
            return f"{random.getrandbits(64):x}"
        if len(key) > PARTITION_KEY_CHARACTERS_MAX:
            return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        return key


def entry_bytes(entry: Entry) -> int:
    """What an entry counts against the limits of a request."""
    return len(entry.Data) + (len(entry.PartitionKey.encode()) if isinstance(entry, StreamEntry) else 0)


def escaped(data: bytes) -> bytes:
    r"""On one line: line ends and tabs as \n, \r and \t. Backslashes stay: data is mostly JSON, which has its own."""
    return data.replace(b"\n", b"\\n").replace(b"\t", b"\\t").replace(b"\r", b"\\r")


def key_getter(key: str) -> GetKey:
    """What finds partition keys: `routing-key`, `header:NAME` or `random`. Raises ConfigurationError."""
    if key == "random":
        return lambda _message: None
    if key == "routing-key":
        return lambda message: message.routing_key.decode("utf-8", "backslashreplace")
    kind, _, name = key.partition(":")
    encoded = name.encode()
    if kind != "header" or not 0 < len(encoded) <= 255:
        raise ConfigurationError(f"no partition key {key!r}: it is routing-key, header:NAME or random")
    return lambda message: find_header(message.properties, encoded)
