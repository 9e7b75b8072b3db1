"""The columns of a target table, and how a column of values becomes one of the table's type.

Values are what JSON or delimited text hold. `Coercion.fast` tries a whole column at once in Arrow; where a single
value will not do, `Coercion.one` goes through them one by one and says which rows are bad, as Redshift would.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from millstream.firehose.warehouse import times
from millstream.firehose.warehouse.copyoptions import CopyOptions


class TargetColumn(NamedTuple):
    """A column of the target table, as the warehouse's catalog has it."""

    name: str
    type: str  # of information_schema: "character varying", "numeric", "integer", …
    nullable: bool = True
    size_bytes_max: int | None = None  # of character types
    precision: int | None = None
    scale: int | None = None


_INTEGERS = {
    "tinyint": pa.int8(), "smallint": pa.int16(), "integer": pa.int32(), "bigint": pa.int64(),
    "utinyint": pa.uint8(), "usmallint": pa.uint16(), "uinteger": pa.uint32(), "ubigint": pa.uint64(),
}  # fmt: skip
_FLOATS = {"real": pa.float32(), "float": pa.float32(), "double precision": pa.float64(), "double": pa.float64()}
_TEXTS = {"character varying", "varchar", "text", "character", "char", "bpchar"}
_TIMESTAMPS = {"timestamp without time zone", "timestamp"}
_ZONED = {"timestamp with time zone", "timestamptz"}
_TRUTHS = dict.fromkeys(("t", "true", "y", "yes", "1", "on"), True) | dict.fromkeys(
    ("f", "false", "n", "no", "0", "off"), False
)
_DIGITS = re.compile(r"[+-]?\d+")
_SURROGATE = re.compile("[\ud800-\udfff]")  # what bytes that are no UTF-8 were read as
_VALUE_SHOWN = 100
_Reader = Callable[[str], Any]


class Coercion:
    """Makes Arrow columns for one target column."""

    def __init__(self, column: TargetColumn, options: CopyOptions) -> None:
        self.column = column
        self._options = options
        self.is_text = column.type in _TEXTS
        self.arrow_type, self._read = _type_of(column, options)
        self._plain = not (options.blanks_as_null or options.trim_blanks)
        self._castable = self._plain and not self._has_own_format()

    def _has_own_format(self) -> bool:
        text_format = self._options.date_format if self.column.type == "date" else self._options.time_format
        return pa.types.is_temporal(self.arrow_type) and text_format not in (None, "auto")

    def fast(self, values: Sequence[Any]) -> pa.Array | None:
        """All values at once; None if some need a closer look."""
        if not self._castable:
            return None
        try:
            array = pa.array(values, pa.string())
        except pa.ArrowTypeError:
            return self._fast_native(values)
        except (pa.ArrowException, ValueError):
            return None
        data = _bytes_of(array)
        array = self._without_nulls(array, data)
        if self.is_text:
            return array if self._fits(array, data) else None
        if b"x" in data.lower() and pa.types.is_integer(self.arrow_type):
            return None  # Arrow takes hexadecimal digits, Redshift does not
        try:
            return array if self.arrow_type == pa.string() else array.cast(self.arrow_type)
        except pa.ArrowException:
            return None

    def _fast_native(self, values: Sequence[Any]) -> pa.Array | None:
        """Numbers and truth values as JSON has them. Fractions are text still, so that none is cut off here."""
        integral = pa.types.is_integer(self.arrow_type) or pa.types.is_floating(self.arrow_type)
        if not (integral or self.arrow_type == pa.bool_()):
            return None
        try:
            return pa.array(values, self.arrow_type)
        except (pa.ArrowException, ValueError, OverflowError):
            return None

    def _without_nulls(self, array: pa.Array, data: bytes) -> pa.Array:
        """NULL for the texts that mean it; `data` is all the texts."""
        texts = [self._options.null_as] if self._options.null_as.encode() in data else []
        if self.is_text and self._options.empty_as_null:
            texts.append("")
        for text in texts:
            array = pc.if_else(pc.equal(array, text), pa.scalar(None, pa.string()), array)
        return array

    def _fits(self, array: pa.Array, data: bytes) -> bool:
        limit = self.column.size_bytes_max
        too_long = limit is not None and (pc.max(pc.binary_length(array)).as_py() or 0) > limit
        return not too_long and b"\0" not in data

    def one(self, value: Any) -> Any:
        """A single value; None for NULL. Raises ValueError saying what is wrong with it, in Redshift's words."""
        if value is None:
            return None
        text = as_text(value)
        if text == self._options.null_as:
            return None
        if self._options.trim_blanks and self.is_text:
            text = text.rstrip()
        if not text.strip() and self._blank_is_null(text):
            return None
        return self._read(text)

    def _blank_is_null(self, text: str) -> bool:
        """Blank fields are NULL in all columns but those of text."""
        if not self.is_text:
            return True
        return self._options.blanks_as_null or (text == "" and self._options.empty_as_null)


def _bytes_of(array: pa.StringArray) -> bytes:
    """All texts of a column, one after the other."""
    buffer = array.buffers()[2]
    return b"" if buffer is None else bytes(memoryview(buffer))


def as_text(value: Any) -> str:
    """A JSON value as the text that COPY puts into a column: a string is itself, all else its JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return msgspec.json.encode(value).decode()


def shown(value: Any) -> str:
    """A value as it is told of in errors: shortened, and always valid text."""
    try:
        text = "" if value is None else as_text(value)
    except ValueError:
        text = repr(value)
    return text[:_VALUE_SHOWN].encode("utf-8", "replace").decode()


def _type_of(column: TargetColumn, options: CopyOptions) -> tuple[pa.DataType, _Reader]:
    """The Arrow type that carries a column's values, and what reads one. Unknown types are left to the warehouse."""
    name = column.type
    if integer := _INTEGERS.get(name):
        return integer, _integer_reader(integer)
    if floating := _FLOATS.get(name):
        return floating, _read_float
    if name in ("numeric", "decimal"):
        return _decimal(column, options)
    if name == "boolean":
        return pa.bool_(), _read_truth
    if name == "date":
        return pa.date32(), _or_null(times.date_reader(options.date_format), options)
    if name in _TIMESTAMPS:
        return pa.timestamp("us"), _or_null(times.timestamp_reader(options.time_format), options)
    if name in _ZONED:
        return pa.timestamp("us", "UTC"), _or_null(times.timestamp_reader(options.time_format), options)
    return pa.string(), _text_reader(column.size_bytes_max, options)


def _or_null(read: _Reader, options: CopyOptions) -> _Reader:
    """ACCEPTANYDATE: what is no date is NULL."""
    if not options.accept_any_date:
        return read

    def read_or_null(text: str) -> Any:
        try:
            return read(text)
        except ValueError:
            return None

    return read_or_null


def _integer_reader(integer: pa.DataType) -> _Reader:
    signed = pa.types.is_signed_integer(integer)
    low = -(2 ** (integer.bit_width - 1)) if signed else 0
    high = 2 ** (integer.bit_width - signed) - 1

    def read(text: str) -> int:
        text = text.strip()
        if not _DIGITS.fullmatch(text):
            raise ValueError("Invalid digit, Type: Integer")
        if not low <= (number := int(text)) <= high:
            raise ValueError(f"Overflow, Type: {integer.bit_width}-bit integer")
        return number

    return read


def _read_float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("Invalid digit, Type: Float") from None


def _read_truth(text: str) -> bool:
    try:
        return _TRUTHS[text.strip().lower()]
    except KeyError:
        raise ValueError("Unknown boolean format") from None


def _decimal(column: TargetColumn, options: CopyOptions) -> tuple[pa.DataType, _Reader]:
    rounding = ROUND_HALF_UP if options.round_decimals else ROUND_DOWN
    precision, scale = column.precision, column.scale or 0

    def read(text: str) -> Any:
        try:
            number = Decimal(text.strip())
        except InvalidOperation:
            raise ValueError("Invalid digit, Type: Decimal") from None
        if precision is None:
            return text
        if not number.is_finite() or number.adjusted() >= precision - scale:
            raise ValueError(f"Overflow for NUMERIC({precision},{scale})")
        return number.quantize(Decimal(1).scaleb(-scale), rounding)

    known = precision is not None and precision <= 38
    return (pa.decimal128(precision, scale) if known else pa.string()), read


def _text_reader(size_bytes_max: int | None, options: CopyOptions) -> _Reader:
    replacement = options.accept_invalid_characters

    def read(text: str) -> str:
        if "\0" in text:
            raise ValueError("Invalid null byte - field longer than 1 byte")
        if _SURROGATE.search(text):
            if replacement is None:
                raise ValueError("String contains invalid or unsupported UTF8 codepoints")
            text = _SURROGATE.sub(replacement, text)
        data = text.encode()
        if size_bytes_max is None or len(data) <= size_bytes_max:
            return text
        if not options.truncate_columns:
            raise ValueError("String length exceeds DDL length")
        return data[:size_bytes_max].decode("utf-8", "ignore")

    return read
