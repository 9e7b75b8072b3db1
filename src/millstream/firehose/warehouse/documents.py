"""JSON documents in a stream of bytes: one a line, or one right after the other, as delivery streams make them.

Lines of documents are decoded at once. Where that fails, documents are looked for one by one; what is none ends at the
next newline.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

DOCUMENT_BYTES_MAX = 4 * 1024 * 1024
"""Redshift's limit of a row."""


class Fraction(str):
    """A JSON number with a fraction or an exponent, as it was written: so no digit is lost on the way."""

    __slots__ = ()


class Malformed(NamedTuple):
    """What should have been a document and is none."""

    text: str
    reason: str


_scanner = json.JSONDecoder(parse_float=Fraction)
_BLANKS = " \t\r\n"
_LITERAL_LENGTH_MAX = 12  # two \u escapes
_VALUE_SHOWN = 100


def documents(pieces: Iterable[bytes], row_type: Any = Any) -> Iterator[list[Any]]:
    """The documents, in lists, as Python values: Fraction for fractions, Malformed for what is none.

    Documents of which all in a list are fit for `row_type`, a msgspec.Struct, may come as such.
    """
    decoder = msgspec.json.Decoder(row_type, float_hook=Fraction)
    rest = b""
    for piece in pieces:
        rest += piece
        cut = max(rest.rfind(b"\n"), rest.rfind(b"}{")) + 1
        found = _at_once(rest[:cut], decoder) if cut else None
        if found is None:
            found, rest = _one_by_one(rest, at_end=False)
        else:
            rest = rest[cut:]
        if found:
            yield found
    found, _ = _one_by_one(rest, at_end=True)
    if found:
        yield found


def _at_once(data: bytes, decoder: msgspec.json.Decoder[Any]) -> list[Any] | None:
    """The documents, if each is on a line of its own or right after another object.

    Objects without a newline between them are given one. A `}{` within a string is given one, too, which makes it
    invalid; so no string is ever changed.
    """
    try:
        return decoder.decode_lines(data.replace(b"}{", b"}\n{"))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _one_by_one(data: bytes, *, at_end: bool) -> tuple[list[Any], bytes]:
    """The whole documents at the beginning, and what may be the beginning of the next."""
    text = data.decode("utf-8", "surrogateescape")
    found: list[Any] = []
    at = _skip_blanks(text, 0)
    while at < len(text):
        try:
            document, end = _scanner.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            too_long = len(text) - at > DOCUMENT_BYTES_MAX
            end = text.find("\n", at) + 1
            if not at_end and not too_long and (not end or _may_go_on(error, text)):
                break
            end = end or len(text)
            reason = "Row exceeds the maximum size of 4 MB" if too_long else f"Invalid JSON: {error}"
            document = Malformed(text[at : min(end, at + _VALUE_SHOWN)].strip(), reason)
        else:
            if end == len(text) and not at_end and text[end - 1] not in '}]"':
                break  # a number may go on
        found.append(document)
        at = _skip_blanks(text, end)
    return found, text[at:].encode("utf-8", "surrogateescape")


def _may_go_on(error: Exception, text: str) -> bool:
    """Whether what is wrong with the last document may be that its end has not come yet."""
    if not isinstance(error, json.JSONDecodeError):
        return False
    return error.msg.startswith("Unterminated string") or error.pos >= len(text) - _LITERAL_LENGTH_MAX


def _skip_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANKS:
        at += 1
    return at
