"""What the log parsing functions are told: columns, W3C formats, Fast Regex patterns; and the records they give."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from millstream.analytics.scalars.dateformat import DateFormat
from millstream.analytics.scalars.fastregex import fast_regex
from millstream.analytics.scalars.javaregex import java_regex
from millstream.analytics.scalars.mistakes import Mistake
from millstream.analytics.scalars.patterns import quoted
from millstream.analytics.scalars.types import BIGINT, INTEGER, TIMES, TIMESTAMP, SqlType, parse_type, record, varchar

FIELD_LENGTH = 1024
COLUMNS_MAX = 1000
_TOKEN = re.compile(r"""\s*("(?:[^"]|"")*"|'(?:[^']|'')*'|\w+|[(),])""")
_W3C_FORMATS = {
    "COMMON": '%h %l %u %t "%r" %>s %b',
    "COMMON WITH VHOST": '%v %h %l %u %t "%r" %>s %b',
    "NCSA EXTENDED": '%h %l %u %t "%r" %>s %b "%[Referer]i" "%[User-agent]i"',
    "REFERER": "%[Referer]i ---> %U",
    "AGENT": "%[User-agent]i",
}
_W3C_SPECIFIER = re.compile(r"%(?:!?\d+(?:,\d+)*)?[<>]?(?:\[([^\]]*)\]|\{([^}]*)\})?([a-zA-Z%])")
_W3C_TYPES = {**dict.fromkeys("spP", INTEGER), **dict.fromkeys("bBDTIO", BIGINT)}


class ColumnSpec(NamedTuple):
    """A column of a description: name TYPE type ['format'] [START start [FOR length]]; `start` counts from 0."""

    name: str
    type: SqlType
    format: str | None = None
    start: int | None = None
    length: int | None = None


def record_type(function: str, values: Sequence[object]) -> SqlType:
    """The record that a log parsing function gives, told these constants after the text. Raises Mistake."""
    if function == "SYS_LOG_PARSE":
        return record(("COLUMN1", "COLUMN2"), (TIMESTAMP, varchar(FIELD_LENGTH)))
    if function == "W3C_LOG_PARSE":
        types = w3c_format(_text(values[0]))[1]
        return record(_names(len(types)), types)
    if function in ("VARIABLE_COLUMN_LOG_PARSE", "FIXED_COLUMN_LOG_PARSE"):
        specs = columns_of(function, values)
        return record((one.name for one in specs), (one.type for one in specs))
    pattern = _text(values[0])
    fast = function == "FAST_REGEX_LOG_PARSER"
    groups = fast_regex(pattern).groups if fast else java_regex(pattern).groups
    if not groups:
        raise Mistake(f"The pattern '{pattern}' has no groups, so it gives no columns", "put ( ) around what is wanted")
    if len(values) < 2:
        return record(_names(groups))
    specs = describe_columns(_text(values[1]))
    if len(specs) != groups:
        raise Mistake(f"The pattern '{pattern}' has {groups} groups, but {len(specs)} columns are named")
    return record((one.name for one in specs), (one.type for one in specs))


def columns_of(function: str, values: Sequence[object]) -> tuple[ColumnSpec, ...]:
    """The columns of VARIABLE_COLUMN_LOG_PARSE (a number of them, or a description) and FIXED_COLUMN_LOG_PARSE."""
    given = values[0]
    fixed = function == "FIXED_COLUMN_LOG_PARSE"
    if not fixed and not (isinstance(values[1], str) and values[1]):
        raise Mistake(f"{function} needs a delimiter", "for example ','")
    if not fixed and (isinstance(given, int | Decimal) or str(given).strip().isdecimal()):
        count = int(str(given))
        if not 1 <= count <= COLUMNS_MAX:
            raise Mistake(f"{function} gives from 1 to {COLUMNS_MAX} columns")
        return tuple(ColumnSpec(name, varchar(FIELD_LENGTH)) for name in _names(count))
    specs = describe_columns(_text(given))
    if fixed and any(one.start is None for one in specs):
        hint = "for example 'name TYPE VARCHAR(10) START 0 FOR 10'"
        raise Mistake(f"{function} must be told where each column begins", hint)
    return specs


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Mistake(f"{value} is not a text", "write it between single quotes")
    return value


def _names(count: int) -> tuple[str, ...]:
    return tuple(f"COLUMN{number}" for number in range(1, count + 1))


def describe_columns(text: str) -> tuple[ColumnSpec, ...]:
    """The columns of a description: name [TYPE] type ['format'] [NOT NULL] [START n [FOR m]], …. Raises Mistake."""
    parts: list[list[str]] = [[]]
    at = 0
    depth = 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            raise Mistake(f"The columns '{text}' cannot be read at '{text[at : at + 10].strip()}'")
        at, word = match.end(), match[1]
        depth += {"(": 1, ")": -1}.get(word, 0)
        if word == "," and not depth:
            parts.append([])
        else:
            parts[-1].append(word)
    specs = tuple(_column(part, text) for part in parts)
    if len({one.name for one in specs}) != len(specs):
        raise Mistake(f"Two columns of '{text}' have one name")
    return specs


def _column(tokens: list[str], text: str) -> ColumnSpec:
    words = [token if token[0] in "\"'" else token.upper() for token in tokens]
    if not words or words[0][0] in "'(),":
        raise Mistake(f"A column is missing in '{text}'", "for example 'name TYPE VARCHAR(10), age TYPE INTEGER'")
    name = words[0][1:-1].replace('""', '"') if words[0][0] == '"' else words[0]
    rest = words[2:] if words[1:2] == ["TYPE"] else words[1:]
    start, length = _number_after("START", rest), _number_after("FOR", rest)
    ends = [rest.index(word) for word in ("START", "NOT", "NULL") if word in rest]
    typed = rest[: min(ends)] if ends else rest
    form = next((word[1:-1].replace("''", "'") for word in typed if word[0] == "'"), None)
    of = parse_type(" ".join(word for word in typed if word[0] != "'")) if typed else varchar(FIELD_LENGTH)
    if form is not None:
        if of.kind not in TIMES:
            raise Mistake(f"The column {name} has a format, but is no time")
        DateFormat(form).check_parse()
    return ColumnSpec(name, of, form, start, length)


def _number_after(word: str, words: list[str]) -> int | None:
    if word not in words:
        return None
    number = (*words[words.index(word) + 1 :], "")[0]
    if not number.isdecimal() or len(number) > 6:
        raise Mistake(f"{word} of a column needs a number")
    return int(number)


def w3c_format(text: str) -> tuple[str, tuple[SqlType, ...]]:
    """The regular expression of a W3C format (its name, or Apache's specifiers) and its columns' types: numbers (where
    "-" is NULL) and texts. Raises Mistake."""
    form = _W3C_FORMATS.get(" ".join(text.upper().split()), text).replace('\\"', '"')
    made = ""
    types: list[SqlType] = []
    at = 0
    for match in _W3C_SPECIFIER.finditer(form):
        made += quoted(form[at : match.start()])
        at = match.end()
        if match[3] == "%":
            made += "%"
            continue
        made += _w3c_group(match[3], form[match.start() - 1 : match.start()], form[at : at + 1])
        types.append(_W3C_TYPES.get(match[3], varchar(FIELD_LENGTH)))
    if not types:
        names = ", ".join(_W3C_FORMATS)
        raise Mistake(f"'{text}' is not a W3C format", f"use {names}, or specifiers like '%h %l %u %t \"%r\" %>s %b'")
    body = made + quoted(form[at:])
    return body.replace(quoted("--->"), "-+>"), tuple(types)


def _w3c_group(letter: str, before: str, after: str) -> str:
    if before == after == '"':
        return r'((?:[^"\\]|\\.)*)'
    if letter == "t":
        return r"([^\]]*)" if before == "[" else r"(\[[^\]]*\])"
    return r"(.*?)" if letter in "ioenCrqf" or after not in (" ", "") else r"(\S+)"
