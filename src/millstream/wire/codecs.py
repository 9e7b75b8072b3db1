"""Bytes to trees and back: JSON and CBOR, without any idea of shapes.

A tree is made of dicts, lists, str, bytes, int, float, bool and None; JSON has no bytes, and text is encoded for them.
Both decoders refuse what they do not take with a SerializationException and bound what a body can cost: nesting is
limited, no length that a body declares is believed, map keys are text or bytes (whose hashes cannot be chosen), and no
CBOR tag but 1 (a timestamp) is taken, so that no body can make big integers, cycles or dates.
"""

from __future__ import annotations

from typing import Any, NoReturn

import cbor2
import msgspec

from millstream.wire.context import Codec
from millstream.wire.faults import SerializationException

EPOCH_TAG = 1
"""Kinesis's CBOR puts epoch *milliseconds* under this tag, where RFC 8949 has seconds."""

_NESTING_MAX = 64

LARGE_BYTES = 1 << 20
"""Bodies above this go through `refuse_swarm` before they are decoded."""

_ITEMS_MAX = 200_000
"""Of a large body. The largest legal requests have some 100,000; partition keys full of commas look like as many."""

_BUILT_IN_TAGS = (
    *(0, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004),
    *(43000, 55799),
)
"""The tags that cbor2 would decode by itself."""

_json_decoder = msgspec.json.Decoder()
_json_encoder = msgspec.json.Encoder()


def _refuse_tag(*_: object) -> NoReturn:
    raise SerializationException


def _epoch(value: object, _immutable: bool) -> object:
    return value


_TAG_READERS = dict.fromkeys(_BUILT_IN_TAGS, _refuse_tag) | {EPOCH_TAG: _epoch}


def decode(codec: Codec, body: bytes) -> Any:
    """The tree that `body` encodes. Raises SerializationException, and nothing else, whatever the bytes."""
    return decode_json(body) if codec is Codec.JSON else decode_cbor(body)


def decode_json(body: bytes) -> Any:
    """`decode` for JSON."""
    try:
        return _json_decoder.decode(body)
    except (ValueError, RecursionError):
        raise SerializationException from None


def decode_cbor(body: bytes) -> Any:
    """`decode` for CBOR. A timestamp becomes the bare number under its tag."""
    try:
        return cbor2.loads(
            body,
            tag_hook=_refuse_tag,
            semantic_decoders=_TAG_READERS,
            max_depth=_NESTING_MAX,
            strict_hashable_types=True,
        )
    except (cbor2.CBORDecodeError, SerializationException, TypeError, ValueError, RecursionError):
        raise SerializationException from None


def refuse_swarm(codec: Codec, body: bytes) -> None:
    """Raise SerializationException for a body of very many tiny values, without decoding it.

    20 MiB of empty maps would become 1.5 GiB of objects, and hold up the event loop for many seconds.
    """
    items = _count_items_json(body) if codec is Codec.JSON else _count_items_cbor(body)
    if items > _ITEMS_MAX:
        raise SerializationException


def _count_items_json(body: bytes) -> int:
    """At least the number of values in the body: commas and brackets in text count too."""
    return body.count(b",") + body.count(b"{") + body.count(b"[")


def _count_items_cbor(body: bytes) -> int:
    """The number of heads in the body, counted until there are too many or they make no sense."""
    position = count = 0
    while position < len(body) and count <= _ITEMS_MAX:
        count += 1
        head = body[position]
        argument = head & 0x1F
        position += 1
        if 24 <= argument < 28:
            argument_bytes = 1 << (argument - 24)
            argument = int.from_bytes(body[position : position + argument_bytes])
            position += argument_bytes
        elif argument == 31:
            argument = 0  # of indefinite length: what it holds follows with heads of its own
        if 0x40 <= head < 0x80:
            position += argument  # the bytes of a blob or a text
    return count


def encode(codec: Codec, tree: Any) -> bytes:
    """The bytes of a tree; bytes become base64 in JSON, and `epoch_tag` makes CBOR's timestamps."""
    return _json_encoder.encode(tree) if codec is Codec.JSON else cbor2.dumps(tree)


def epoch_tag(time_ms: int) -> Any:
    """A timestamp for `encode` in CBOR."""
    return cbor2.CBORTag(EPOCH_TAG, time_ms)
