"""Decoded JSON to Arrow columns: a builder for each type of the schema, which takes many values at once.

A builder looks first at which Python types are among its values. Where Arrow takes those as they are, it gets them as
they are, in one call; where not, each value is coerced. What comes out does not depend on which values came together.

What does not match the schema fails the whole record, rather than becoming null or another value unseen:

    integers        integers, numbers without a fraction, text of these, in range
    float, double   numbers, text of numbers
    decimal         the same, rounded half up to the scale; too many digits before the point fail
    boolean         true, false, text of these in any case
    string          text; numbers and booleans as text; objects and arrays as their JSON
    char, varchar   the same, cut off at the length
    binary          text, as UTF-8
    date            yyyy-[m]m-[d]d (and what Hive's formats say)
    timestamp       see `times`
    array           an array; OpenX takes any other value for an array of that one
    map, struct     an object; keys that the struct does not have are ignored

Source: the OpenX SerDe's documentation (arrays of one, objects as text, hexadecimal integers are its features); where
SerDes give null for what cannot be converted, Firehose is documented to fail "when the data doesn't match the schema".
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from decimal import ROUND_HALF_UP, Context, Decimal, DecimalException
from functools import partial
from itertools import accumulate, chain
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from millstream.base.errors import MillstreamError
from millstream.firehose.formats import hive, times
from millstream.firehose.formats.rowreader import struct_columns

Build = Callable[[list[Any]], Any]
"""Values of one column to a pyarrow.Array. Raises Mismatch if a value does not match the type."""

Coerce = Callable[[Any], Any]
"""A value that is not null to one that Arrow takes for the type. Raises ValueError, or ArithmeticError."""

_NONE = type(None)
_STRICT = frozenset({str, bool})  # Arrow takes nothing else for their types; but it takes True for the number 1.0
_CODES = {pa.int8(): "b", pa.int16(): "h", pa.int32(): "i", pa.int64(): "q", pa.float32(): "f", pa.float64(): "d"}
"""What struct calls the numbers of Arrow's types."""
_REFUSED = (pa.ArrowException, OverflowError, UnicodeError, struct.error)
_INTEGER = re.compile(r"[+-]?\d{1,20}", re.ASCII)
_HEXADECIMAL = re.compile(r"0[xX][0-9a-fA-F]{1,16}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_TRUTH = {"true": True, "false": False}
_DECIMALS = Context(prec=76, rounding=ROUND_HALF_UP)
_NUMBER_TEXT_MAX = 400
_DIGITS_MAX = 20  # of integers: a few bytes of exponent must not become a number of gigabytes
_json = msgspec.json.Encoder(decimal_format="number")


class Mismatch(MillstreamError):
    """Data does not match the schema; the text says where and why."""


class Reading(NamedTuple):
    """How a SerDe reads JSON, beyond what types say.

    `key_of` gives the key, normalized, under which a field's values stand; `normalize` brings the keys of the data
    into that form; `map_key` the keys of maps.
    """

    key_of: Callable[[str], str]
    normalize: Callable[[str], str]
    map_key: Callable[[str], str]
    timestamp: times.ReadTimestamp
    date: Callable[[Any], int]
    arrow_timestamps: bool  # whether what Arrow reads as ISO 8601 may be read so
    single_as_array: bool


def builder(kind: hive.HiveType, reading: Reading, path: str = "") -> Build:
    """The builder of a type; `path` names the column in errors."""
    match kind:
        case hive.Array(element):
            return _ArrayBuilder(builder(element, reading, f"{path}[]"), reading.single_as_array, path)
        case hive.Map(key, value):
            return _MapBuilder(
                builder(key, reading, f"{path} key"), builder(value, reading, f"{path}{{}}"), reading.map_key, path
            )
        case hive.Struct(fields):
            return StructBuilder(fields, reading, path)
        case hive.Scalar("timestamp"):
            return _TimestampBuilder(reading, path)
        case hive.Scalar():
            types, coerce = _scalar(kind, reading)
            return _ScalarBuilder(hive.arrow_type(kind), types, coerce, path)


def _scalar(kind: hive.Scalar, reading: Reading) -> tuple[frozenset[type], Coerce]:
    """The Python types that Arrow takes as they are for a type, and how all others are coerced."""
    match kind.name:
        case "tinyint" | "smallint" | "int" | "bigint":
            return frozenset({int}), _integer
        case "float" | "double":
            return frozenset({float}), _float
        case "decimal":
            return frozenset(), partial(_decimal, kind.precision, kind.scale)
        case "boolean":
            return frozenset({bool}), _boolean
        case "char" | "varchar":
            return frozenset(), partial(_cut, kind.length)
        case "date":
            return frozenset(), reading.date
        case _:  # string, binary
            return frozenset({str}), _text


class _ScalarBuilder:
    def __init__(self, arrow: Any, types: frozenset[type], coerce: Coerce, path: str) -> None:
        self._arrow = arrow
        self._types = types | {_NONE}
        self._is_strict = types and types <= _STRICT
        self._code = _CODES.get(arrow)
        self._coerce = coerce
        self._path = path

    def __call__(self, values: list[Any]) -> Any:
        if self._is_strict:
            with suppress(*_REFUSED):
                return pa.array(values, self._arrow)
        kinds = set(map(type, values))
        if not kinds <= self._types:
            values = _coerced(values, self._coerce, self._arrow, self._path)
        try:
            if self._code and _NONE not in kinds:
                return _numbers(self._code, values, self._arrow)
            return pa.array(values, self._arrow)
        except _REFUSED as error:
            raise Mismatch(f"{self._path}: a value does not fit {self._arrow}") from error


class _TimestampBuilder:
    """Text that Arrow reads is left to it, if all of it has a zone or none."""

    def __init__(self, reading: Reading, path: str) -> None:
        self._reading = reading
        self._path = path
        self._arrow = pa.timestamp("us")

    def __call__(self, values: list[Any]) -> Any:
        if self._reading.arrow_timestamps and {str, _NONE}.issuperset(map(type, values)):
            texts = [text for text in values if text is not None]
            if texts and min(texts) >= "0001":
                zone = "UTC" if texts[0].endswith("Z") else None
                try:
                    return pa.array(values, pa.string()).cast(pa.timestamp("us", zone)).cast(self._arrow)
                except (pa.ArrowException, UnicodeError):
                    pass  # some of it is for our own reader
        return pa.array(_coerced(values, self._reading.timestamp, "timestamp", self._path), self._arrow)


def _coerced(values: list[Any], coerce: Coerce, arrow: Any, path: str) -> list[Any]:
    value = None
    try:
        return [None if (value := each) is None else coerce(each) for each in values]
    except (ValueError, ArithmeticError, DecimalException, msgspec.MsgspecError, RecursionError) as error:
        raise Mismatch(f"{path}: {_shown(value)} is not a {arrow}") from error


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, (str, bool, float)) else type(value).__name__
    return text if len(text) <= 60 else text[:60] + "…"


class _ArrayBuilder:
    def __init__(self, element: Build, single_as_array: bool, path: str) -> None:
        self._element = element
        self._single = single_as_array
        self._path = path

    def __call__(self, values: list[Any]) -> Any:
        if not {list, _NONE}.issuperset(map(type, values)):
            if not self._single:
                raise Mismatch(f"{self._path}: a value is not an array")
            values = [each if each is None or isinstance(each, list) else [each] for each in values]
        elements = self._element(list(chain.from_iterable(filter(None, values))))
        return pa.ListArray.from_arrays(_offsets(values), elements)


class _MapBuilder:
    def __init__(self, key: Build, value: Build, map_key: Callable[[str], str], path: str) -> None:
        self._key = key
        self._value = value
        self._map_key = map_key
        self._path = path

    def __call__(self, values: list[Any]) -> Any:
        if not {dict, _NONE}.issuperset(map(type, values)):
            raise Mismatch(f"{self._path}: a value is not an object")
        maps = [None if each is None else {self._map_key(key): value for key, value in each.items()} for each in values]
        keys = self._key(list(chain.from_iterable(filter(None, maps))))
        items = self._value(list(chain.from_iterable(each.values() for each in maps if each)))
        return pa.MapArray.from_arrays(_offsets(maps), keys, items)


def _offsets(values: list[Any]) -> Any:
    """Where each value's elements begin, null where the value is."""
    if None not in values:
        return _numbers("i", list(accumulate(map(len, values), initial=0)), pa.int32())
    ends: list[int | None] = list(accumulate((len(each) if each else 0 for each in values), initial=0))
    for index, each in enumerate(values):
        if each is None:
            ends[index] = None
    return pa.array(ends, pa.int32())


def _numbers(code: str, values: list[Any], arrow: Any) -> Any:
    """An Arrow array of numbers, none of them null, packed first, which is twice as fast as pa.array.

    Raises struct.error for integers out of range. Floats that are too large for four bytes become infinite, as Arrow
    makes them.
    """
    packed = struct.pack(f"{len(values)}{code}", *values)
    return pa.Array.from_buffers(arrow, len(values), [None, pa.py_buffer(packed)])


class StructBuilder:
    """Builds structs, and with `table` rows, of objects whose keys may be spelled in more than one way."""

    def __init__(self, fields: Iterable[hive.Field], reading: Reading, path: str = "") -> None:
        self._fields = list(fields)
        self._path = path
        self._normalize = reading.normalize
        self._keys = [reading.key_of(field.name) for field in self._fields]
        self._known = frozenset(self._keys)
        prefix = f"{path}." if path else ""
        self._builders = [builder(field.type, reading, prefix + field.name) for field in self._fields]
        self._arrow = [pa.field(field.name, hive.arrow_type(field.type)) for field in self._fields]
        self.schema = pa.schema(self._arrow)
        """The schema of tables."""

    def __call__(self, values: list[Any]) -> Any:
        kinds = set(map(type, values))
        nulls = [each is None for each in values] if _NONE in kinds else []
        kinds.discard(_NONE)
        if kinds <= {dict}:
            columns = self._columns([each or {} for each in values] if nulls else values)
        elif all(issubclass(kind, msgspec.Struct) for kind in kinds):
            columns = struct_columns(values, len(self._keys), whole=not nulls)
        else:
            raise Mismatch(f"{self._path}: a value is not an object")
        mask = pa.array(nulls, pa.bool_()) if nulls else None
        return pa.StructArray.from_arrays(self._built(columns), fields=self._arrow, mask=mask)

    def table(self, rows: list[dict[str, Any]]) -> Any:
        """A pyarrow.Table with a row for each object. Raises Mismatch."""
        return self._table(self._columns(rows))

    def table_of_structs(self, rows: list[Any]) -> Any:
        """A pyarrow.Table with a row for each of a RowReader's structs. Raises Mismatch."""
        return self._table(struct_columns(rows, len(self._keys), whole=True))

    def _table(self, columns: list[list[Any]]) -> Any:
        return pa.Table.from_arrays(self._built(columns), schema=self.schema)

    def _built(self, columns: list[list[Any]]) -> list[Any]:
        return [build(values) for build, values in zip(self._builders, columns, strict=True)]

    def _columns(self, rows: list[dict[str, Any]]) -> list[list[Any]]:
        spellings: dict[str, str] = {}
        for key in set().union(*rows):
            normal = self._normalize(key)
            if normal in self._known and spellings.setdefault(normal, key) != key:
                return self._columns(self._normalized(rows))
        return [
            [row.get(spelling) for row in rows] if (spelling := spellings.get(key)) is not None else [None] * len(rows)
            for key in self._keys
        ]

    def _normalized(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Rows whose keys are as the schema spells them, and no others; of keys that become one, the last holds."""
        return [
            {normal: value for key, value in row.items() if (normal := self._normalize(key)) in self._known}
            for row in rows
        ]


def _integer(value: Any) -> int:
    if isinstance(value, str):
        if _HEXADECIMAL.fullmatch(value):
            return int(value, 16)
        if not _INTEGER.fullmatch(value):
            raise ValueError
        return int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        raise ValueError
    if isinstance(value, Decimal) and value.adjusted() > _DIGITS_MAX:
        raise ValueError
    whole = int(value)
    if whole != value:
        raise ValueError
    return whole


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal, str)):
        raise ValueError
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise ValueError
    number = float(value)
    if math.isinf(number):
        raise ValueError
    return number


def _decimal(precision: int, scale: int, value: Any) -> Decimal:
    if isinstance(value, str) and not (len(value) <= _NUMBER_TEXT_MAX and _NUMBER.fullmatch(value)):
        raise ValueError
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
        raise ValueError
    number = Decimal(value).quantize(Decimal(1).scaleb(-scale), context=_DECIMALS)
    if number and number.adjusted() >= precision - scale:
        raise ValueError
    return number


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    truth = _TRUTH.get(value.lower()) if isinstance(value, str) else None
    if truth is None:
        raise ValueError
    return truth


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return repr(_float(value))
    if isinstance(value, float):
        return repr(value)
    return _json.encode(value).decode()


def _cut(length: int, value: Any) -> str:
    return _text(value)[:length]
