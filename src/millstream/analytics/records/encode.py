"""Rows of an in-application stream (without system columns) as records: one record a row.

    numbers                as they are: 12, 1.5, 1e+21, DECIMAL with all digits of its scale
    BOOLEAN                true, false
    character              text
    TIMESTAMP, DATE, TIME  'yyyy-MM-dd HH:mm:ss.SSS', 'yyyy-MM-dd', 'HH:mm:ss.SSS'
    (VAR)BINARY            base64
    null                   JSON: null; CSV: nothing (an empty text is "")

JSON is an object of the columns in their order, nothing behind it. A CSV row ends with a newline; fields with commas,
quotes or line ends in them are in quotes, quotes in them doubled. A REAL or DOUBLE that is no number is null.
"""

from __future__ import annotations

import msgspec
import polars as pl

_FORMATS: dict[type[pl.DataType], str] = {
    pl.Date: "%Y-%m-%d",
    pl.Time: "%H:%M:%S%.3f",
    pl.Datetime: "%Y-%m-%d %H:%M:%S%.3f",
}
_NEEDS_QUOTES = '[",\r\n]|^ |^$'


def encode_json(frame: pl.DataFrame) -> list[bytes]:
    """A JSON object for each row, its keys the names of the columns."""
    frame = frame.select(_plain(name, dtype) for name, dtype in frame.schema.items())
    decimals = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.Decimal)]
    if not decimals:
        return _cells(frame, pl.struct(pl.all()).struct.json_encode())
    members: list[pl.Expr] = []
    for name in frame.columns:
        if name in decimals:
            number = pl.col(name).cast(pl.String).fill_null("null")
            members.append(pl.concat_str(pl.lit(msgspec.json.encode(name).decode() + ":"), number))
        else:
            members.append(pl.struct(name).struct.json_encode().str.slice(1).str.strip_suffix("}"))
    return _cells(frame, pl.concat_str(pl.lit("{"), pl.concat_str(members, separator=","), pl.lit("}")))


def encode_csv(frame: pl.DataFrame) -> list[bytes]:
    """A line for each row."""
    frame = frame.select(_plain(name, dtype) for name, dtype in frame.schema.items())
    fields = [_field(name, dtype) for name, dtype in frame.schema.items()]
    return _cells(frame, pl.concat_str(pl.concat_str(fields, separator=","), pl.lit("\n")))


def encode(frame: pl.DataFrame, record_format: str) -> list[bytes]:
    """A record for each row in RecordFormatType "JSON" or "CSV"."""
    return encode_csv(frame) if record_format.upper() == "CSV" else encode_json(frame)


def _cells(frame: pl.DataFrame, texts: pl.Expr) -> list[bytes]:
    return frame.select(texts.cast(pl.Binary)).to_series().to_list()


def _plain(name: str, dtype: pl.DataType) -> pl.Expr:
    """The column as what JSON has, but DECIMAL."""
    column = pl.col(name)
    form = _FORMATS.get(type(dtype))
    if form is not None:
        return column.dt.strftime(form)
    if dtype == pl.Binary:
        return column.bin.encode("base64")
    if dtype.is_float():
        return pl.when(column.is_finite()).then(column).alias(name)
    return column


def _field(name: str, dtype: pl.DataType) -> pl.Expr:
    text = pl.col(name).cast(pl.String)
    if dtype == pl.String:
        quoted = pl.concat_str(pl.lit('"'), text.str.replace_all('"', '""', literal=True), pl.lit('"'))
        text = pl.when(text.str.contains(_NEEDS_QUOTES)).then(quoted).otherwise(text)
    return text.fill_null("")
