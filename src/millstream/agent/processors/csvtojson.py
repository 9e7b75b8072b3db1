"""CSVTOJSON: a record of fields with delimiters between them becomes a JSON object."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

from millstream.agent.javaregex import RegexError, compile_text
from millstream.agent.processors.converter import MATCHED_BYTES_MAX, Converter, Rejected, text_of
from millstream.agent.processors.fields import ToFields, fields_maker, in_json_format
from millstream.agent.processors.options import Options
from millstream.agent.timelimit import TooSlow, limited

BLANK = "CSVTOJSON: a blank line"
TOO_LONG = f"CSVTOJSON: longer than {MATCHED_BYTES_MAX} bytes, too long for a regular expression as delimiter"
TOO_SLOW = "CSVTOJSON: the delimiter takes too long on it"

_BLANKS = " \t"
_QUOTED = re.compile(r'"([^"]*+(?:""[^"]*+)*+)"')
_LITERAL = re.compile(r"\\([^\w\s])|([^\\\[\](){}.*+?^$|])")

Find = Callable[[str, int], tuple[int, int]]
"""Where the first delimiter at or after a place begins, and ends; (length, -1) if there is none."""


def csvtojson(options: Options) -> Converter:
    """Makes an object of texts, with customFieldNames as its names.

    The delimiter is a regular expression of Java's that must not match nothing. A field in double quotes may have
    delimiters, line ends and, doubled, quotes in it and keeps its blanks; other fields lose the blanks around them. A
    quote that is not closed is a character like others. Names without a field get null, fields without a name are left
    out.
    """
    names = options.names("customFieldNames")
    if not names and not options.problems:
        options.refuse("customFieldNames", "is missing; name the fields")
    literal, pattern = _delimiter(options)
    bytes_max = MATCHED_BYTES_MAX if literal is None else sys.maxsize
    split = _splitter(literal, pattern, len(names))
    make = fields_maker(names, values=len(names))
    nulls = [None] * len(names)

    def read(record: bytes) -> object:
        if len(record) > bytes_max:
            raise Rejected(TOO_LONG)
        text = text_of(record)
        if not text or text.isspace():
            raise Rejected(BLANK)
        try:
            fields = split(text)
        except TooSlow:
            raise Rejected(TOO_SLOW) from None
        return make(*fields, *nulls[len(fields) :])

    return in_json_format(ToFields(read), options)


def _delimiter(options: Options) -> tuple[str | None, re.Pattern[str]]:
    """The delimiter: the text that it stands for, if it stands for only one, and the expression."""
    delimiter = options.text("delimiter", ",") or ","
    try:
        pattern = compile_text(delimiter)
    except RegexError as error:
        options.refuse("delimiter", str(error))
        return ",", re.compile(",")
    if pattern.match(""):
        options.refuse("delimiter", f"{delimiter!r} also matches where nothing is; write \\| for the character |")
    return _literal(delimiter), pattern


def _literal(delimiter: str) -> str | None:
    if delimiter == "\\t":
        return "\t"
    parts = list(_LITERAL.finditer(delimiter))
    if sum(len(part[0]) for part in parts) != len(delimiter):
        return None
    return "".join(part[1] or part[2] for part in parts)


def _literal_finder(literal: str) -> Find:
    length = len(literal)

    def find(text: str, start: int) -> tuple[int, int]:
        at = text.find(literal, start)
        return (at, at + length) if at >= 0 else (len(text), -1)

    return find


def _regex_finder(pattern: re.Pattern[str]) -> Find:
    def find(text: str, start: int) -> tuple[int, int]:
        first = pattern.search(text, start)
        if first is None:
            return len(text), -1
        if first.end() > first.start():
            return first.span()
        for match in pattern.finditer(text, first.start()):  # it also matches nothing: pass over those places
            if match.end() > match.start():
                return match.span()
        return len(text), -1

    return find


Split = Callable[[str], list[str]]
"""Gives a text's fields: as many as there are names, or fewer if it has fewer."""


def _splitter(literal: str | None, pattern: re.Pattern[str], count: int) -> Split:
    """The quickest way that the delimiter allows; all give the same."""
    if literal is None:
        find = _regex_finder(pattern)
        return limited(lambda text: fields_of(text, find, count))
    find = _literal_finder(literal)

    def split(text: str) -> list[str]:
        if '"' not in text:
            return [field.strip(_BLANKS) for field in text.split(literal, count)[:count]]
        if len(literal) == 1:
            return _fields_of_pieces(text, literal, find, count)
        return fields_of(text, find, count)

    return split


def _fields_of_pieces(text: str, literal: str, find: Find, count: int) -> list[str]:
    """As `fields_of` for a delimiter of one character: only pieces with quotes in them are looked at closely."""
    pieces = text.split(literal)
    fields: list[str] = []
    start = piece = 0
    while piece < len(pieces) and len(fields) < count:
        following = start + len(pieces[piece]) + 1
        if '"' in pieces[piece]:
            field, following = _field(text, start, find)
            fields.append(field)
        else:
            fields.append(pieces[piece].strip(_BLANKS))
        if following < 0:
            break
        while start < following:
            start += len(pieces[piece]) + 1
            piece += 1
    return fields


def fields_of(text: str, find: Find, count: int) -> list[str]:
    """The text's first `count` fields, or fewer if there are not as many."""
    fields: list[str] = []
    start = 0
    while start >= 0 and len(fields) < count:
        field, start = _field(text, start, find)
        fields.append(field)
    return fields


def _field(text: str, start: int, find: Find) -> tuple[str, int]:
    """The field that begins at `start`, and where the next one begins: -1 if it is the last."""
    at, following = find(text, start)
    plain = text[start:at].strip(_BLANKS)
    if not plain.startswith('"'):
        return plain, following
    quoted = _QUOTED.match(text, text.index('"', start))
    if quoted is None:
        return plain, following
    at, behind = find(text, quoted.end())
    if text[quoted.end() : at].strip(_BLANKS):
        return plain, following
    return quoted[1].replace('""', '"'), behind
