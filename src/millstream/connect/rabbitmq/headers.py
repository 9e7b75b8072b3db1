"""One header out of a message's properties, without decoding the others.

    flags(2) [content-type: shortstr] [content-encoding: shortstr] [headers: table] …
    table    size(4), then name: shortstr, type(1), value

Source: the AMQP 0-9-1 specification, section 4.2.5, and RabbitMQ's errata for the types that brokers really send.
"""

from __future__ import annotations

from struct import Struct, error

_CONTENT_TYPE, _CONTENT_ENCODING, _HEADERS = 0x8000, 0x4000, 0x2000
_LONG = Struct(">I")
_FLAGS = Struct(">H")
_NUMBERS = {
    ord(letter): Struct(">" + form)
    for letter, form in (
        *(("b", "b"), ("B", "B"), ("s", "h"), ("u", "H"), ("I", "i"), ("i", "I"), ("l", "q"), ("L", "q")),
        *(("f", "f"), ("d", "d"), ("T", "Q")),
    )
}
_STRING, _BOOLEAN = ord("S"), ord("t")
_FIXED_BYTES = {**{letter: form.size for letter, form in _NUMBERS.items()}, _BOOLEAN: 1, ord("D"): 5, ord("V"): 0}
_SIZED = frozenset(b"SAFx")


def find_header(properties: bytes, name: bytes) -> str | None:
    """The header's value as text; None if there is none, or it is no text, number or truth value."""
    try:
        (flags,) = _FLAGS.unpack_from(properties)
        if not flags & _HEADERS:
            return None
        at = 2
        for flag in (_CONTENT_TYPE, _CONTENT_ENCODING):
            if flags & flag:
                at += 1 + properties[at]
        return _find(properties, at, name)
    except (IndexError, error):
        return None


def _find(data: bytes, at: int, name: bytes) -> str | None:
    end = at + 4 + _LONG.unpack_from(data, at)[0]
    at += 4
    while at < end:
        value_at = at + 2 + data[at]
        found = data[at + 1 : value_at - 1] == name
        kind = data[value_at - 1]
        if found:
            return _text(data, kind, value_at)
        if kind in _FIXED_BYTES:
            at = value_at + _FIXED_BYTES[kind]
        elif kind in _SIZED:
            at = value_at + 4 + _LONG.unpack_from(data, value_at)[0]
        else:
            return None
    return None


def _text(data: bytes, kind: int, at: int) -> str | None:
    if kind == _STRING:
        (size,) = _LONG.unpack_from(data, at)
        return data[at + 4 : at + 4 + size].decode("utf-8", "backslashreplace")
    if kind == _BOOLEAN:
        return "true" if data[at] else "false"
    number = _NUMBERS.get(kind)
    return None if number is None else str(number.unpack_from(data, at)[0])
