"""Hive's types: their text, as table definitions have it, to a tree, and from there to Arrow's types.

    type      := primitive | decimal | text | array | map | struct
    decimal   := ("decimal" | "numeric") ["(" precision ["," scale] ")"]
    text      := ("char" | "varchar") "(" length ")"
    array     := "array<" type ">"
    map       := "map<" primitive "," type ">"
    struct    := "struct<" name ":" type {"," name ":" type} ">"

Source: Apache Hive, Language Manual, Types. Unions and intervals are not served.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from millstream.base.errors import MillstreamError

DEPTH_MAX = 32
PRECISION_MAX = 38

_TOKEN = re.compile(r"\s*([<>(),:]|[^<>(),:]+)")
_ALIASES = {"integer": "int", "double precision": "double", "numeric": "decimal", "dec": "decimal"}
_PRIMITIVES = {
    "tinyint": "int8",
    "smallint": "int16",
    "int": "int32",
    "bigint": "int64",
    "boolean": "bool_",
    "float": "float32",
    "double": "float64",
    "string": "string",
    "binary": "binary",
    "date": "date32",
}
"""Hive's names, and those of pyarrow's functions that make the types."""


class TypeInvalid(MillstreamError):
    """A text is no Hive type that can be written."""


class Scalar(NamedTuple):
    """A type without parts. `precision` and `scale` are decimal's, `length` is that of char and varchar."""

    name: str
    precision: int = 10
    scale: int = 0
    length: int = 0


class Array(NamedTuple):
    """array<element>"""

    element: HiveType


class Map(NamedTuple):
    """map<key,value>"""

    key: Scalar
    value: HiveType


class Field(NamedTuple):
    """A field of a struct, or a column."""

    name: str
    type: HiveType


class Struct(NamedTuple):
    """struct<field:type,…>; also a whole row."""

    fields: tuple[Field, ...]


HiveType = Scalar | Array | Map | Struct


def parse_type(text: str) -> HiveType:
    """The type that `text` says, whatever its case. Raises TypeInvalid."""
    parser = _Parser(text)
    parsed = parser.type(0)
    parser.end()
    return parsed


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [token.strip() for token in _TOKEN.findall(text) if token.strip()]
        self._next = 0

    def type(self, depth: int) -> HiveType:
        if depth > DEPTH_MAX:
            raise self._error(f"it is nested more than {DEPTH_MAX} deep")
        name = " ".join(self._take().lower().split())
        name = _ALIASES.get(name, name)
        if name == "array":
            return Array(*self._parts("<", ">", lambda: self.type(depth + 1), 1))
        if name == "map":
            return self._map(depth)
        if name == "struct":
            return self._struct(depth)
        return self._scalar(name)

    def end(self) -> None:
        if self._next < len(self._tokens):
            raise self._error(f"there is more after its end: {self._tokens[self._next]!r}")

    def _map(self, depth: int) -> Map:
        key, value = self._parts("<", ">", lambda: self.type(depth + 1), 2)
        if not isinstance(key, Scalar):
            raise self._error("a map's key must be of a primitive type")
        return Map(key, value)

    def _struct(self, depth: int) -> Struct:
        def field() -> Field:
            name = self._take()
            self._expect(":")
            return Field(name, self.type(depth + 1))

        fields = tuple(self._parts("<", ">", field))
        names = [field.name.lower() for field in fields]
        if len(set(names)) < len(names):
            raise self._error("a struct has two fields of one name")
        return Struct(fields)

    def _scalar(self, name: str) -> Scalar:
        if name in _PRIMITIVES or name == "timestamp":
            return Scalar(name)
        if name in ("char", "varchar"):
            (length,) = self._parts("(", ")", self._number, 1)
            if not 1 <= length <= 65_535:
                raise self._error("a length must be from 1 to 65535")
            return Scalar(name, length=length)
        if name == "decimal":
            return self._decimal()
        raise self._error(f"{name!r} is not a type that can be converted to")

    def _decimal(self) -> Scalar:
        if self._peek() != "(":
            return Scalar("decimal")
        precision, scale, *more = [*self._parts("(", ")", self._number), 0]
        if more not in ([], [0]) or not (1 <= precision <= PRECISION_MAX and 0 <= scale <= precision):
            raise self._error("a decimal needs a precision from 1 to 38 and a scale not above it")
        return Scalar("decimal", precision=precision, scale=scale)

    def _parts(self, opening: str, closing: str, part: Any, count: int | None = None) -> list[Any]:
        self._expect(opening)
        parts = [part()]
        while self._peek() == ",":
            self._take()
            parts.append(part())
        self._expect(closing)
        if count is not None and len(parts) != count:
            raise self._error(f"{count} parts are needed where {len(parts)} stand")
        return parts

    def _number(self) -> int:
        token = self._take()
        if not (token.isascii() and token.isdigit() and len(token) < 10):
            raise self._error(f"{token!r} is not a number")
        return int(token)

    def _peek(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        if not token:
            raise self._error("it ends too early")
        self._next += 1
        return token

    def _expect(self, token: str) -> None:
        found = self._take()
        if found != token:
            raise self._error(f"{token!r} is needed where {found!r} stands")

    def _error(self, reason: str) -> TypeInvalid:
        return TypeInvalid(f"The type {self._text[:200]!r} is invalid: {reason}.")


def arrow_type(hive: HiveType) -> Any:
    """The Arrow type (pyarrow.DataType) in which values of a Hive type are kept and written.

    Timestamps have microseconds and no time zone.
    """
    import pyarrow as pa  # noqa: PLC0415 - heavy, and only the worker needs it

    match hive:
        case Array(element):
            return pa.list_(arrow_type(element))
        case Map(key, value):
            return pa.map_(arrow_type(key), arrow_type(value))
        case Struct(fields):
            return pa.struct([pa.field(field.name, arrow_type(field.type)) for field in fields])
        case Scalar("timestamp"):
            return pa.timestamp("us")
        case Scalar("decimal", precision, scale):
            return pa.decimal128(precision, scale)
        case Scalar("char" | "varchar"):
            return pa.string()
        case Scalar(name):
            return getattr(pa, _PRIMITIVES[name])()


def holds(hive: HiveType, name: str) -> bool:
    """Whether a type is, or has in it, the scalar type `name`."""
    match hive:
        case Array(element):
            return holds(element, name)
        case Map(key, value):
            return holds(key, name) or holds(value, name)
        case Struct(fields):
            return any(holds(field.type, name) for field in fields)
        case Scalar(own):
            return own == name
