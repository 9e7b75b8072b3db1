"""Many JSON records at once, for schemas without arrays: polars decodes them into columns, numpy checks what it did.

polars joins all texts by commas and decodes them as one array. So it is fast; and so a text like `{…},{…}` would be
two rows, and `{"a":[{}` and `{}]}` one. Taken are texts from `{` to `}`, and where there is no other brace in them,
each is a row by itself. Where there is, each is put into `{"<a word nobody can guess>": …}`, and a row counts as its
text's only if it has that word and there are as many rows as texts.

What polars refuses as a whole is tried a second time with every column as text (a number in quotes for a number), then
without the records that msgspec refuses. What is left is for `jsonrows`; so is each value that is not plainly of
its column's type. Both give the same rows for all that polars takes: no answer depends on a record's neighbours.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

import msgspec
import numpy as np
import polars as pl

from millstream.analytics.records.columns import convert_columns
from millstream.analytics.records.columntypes import TypedColumn
from millstream.analytics.records.jsonrows import JsonMapping
from millstream.analytics.records.paths import Path
from millstream.analytics.records.rows import Mask, Part
from millstream.analytics.records.texts import Lines, Records, split_lines
from millstream.analytics.scalars.types import FLOATS, INTEGERS, TEXTS, Kind

_SPACE = " \t\r\n"
_OPEN, _CLOSE, _BRACKET, _NEWLINE = b"{}[\n"
_OPENING_MAX = 400  # braces and brackets of a text, so that it cannot be too deep for a recursive parser
_TEXT_FIRST_BATCHES = 16
_UNCLEAR_MAX = 16
_DECODED_DIRECTLY = TEXTS | FLOATS | {Kind.BOOLEAN}
_REFUSALS = (pl.exceptions.PolarsError, pl.exceptions.PanicException, IndexError)

Tree = dict[str, "Tree | pl.DataType"]


class _Field(NamedTuple):
    column: TypedColumn
    path: tuple[str, ...]
    dtype: pl.DataType


class JsonFrames:
    """Decodes batches of one schema. Remembers what helped with earlier batches, which changes no result."""

    def __init__(self, columns: tuple[TypedColumn, ...], mapping: JsonMapping) -> None:
        paths = [_names(mapped.within) for mapped in mapping.columns]
        self._fields = _fields(columns, paths)
        self.able = not mapping.row_path and mapping.flattened is None and all(paths) and not _overlap(paths)
        self._word = secrets.token_hex(8)
        self._text_first = 0
        self._checker: msgspec.json.Decoder[object] | None = None

    def decode(self, records: Records) -> tuple[Part, Mask]:
        """The rows of the records that can be decoded at once; and which records are left."""
        left = np.zeros(len(records), dtype=np.bool_)
        lines, flat = _objects(records, left)
        found = self._decoded(lines, flat=flat)
        if found is None:
            left[lines.record_index[~self._acceptable(lines.texts)]] = True
            lines = lines.without(left)
            found = self._decoded(lines, flat=False)
        if found is None:
            left[:] = True
            lines = lines.without(left)
            found = pl.Series([], dtype=_struct(self._fields, as_text=False))
        return self._part(found, lines, left, nul_is_unclear=_has_escapes(records.content)), left

    def _decoded(self, lines: Lines, *, flat: bool) -> pl.Series | None:
        """The lines as structs of what the columns are first decoded as; None if polars refuses one of them."""
        texts = lines.texts if flat else _wrapped(lines.texts, self._word)
        ways = (True,) if self._text_first else (False, True)
        self._text_first = max(0, self._text_first - 1)
        for as_text in ways:
            found = self._tried(texts, _struct(self._fields, as_text=as_text), flat=flat)
            if found is not None:
                if as_text and len(ways) > 1:
                    self._text_first = _TEXT_FIRST_BATCHES
                return found
        return None

    def _tried(self, texts: pl.Series, dtype: pl.Struct, *, flat: bool) -> pl.Series | None:
        if not len(texts):
            return pl.Series([], dtype=dtype)
        try:
            found = texts.str.json_decode(dtype if flat else pl.Struct({self._word: dtype}))
        except _REFUSALS:
            return None
        if not flat:
            found = found.struct.unnest().to_series()
        return found if len(found) == len(texts) and not found.null_count() else None

    def _acceptable(self, texts: pl.Series) -> Mask:
        """Which texts are JSON with scalars where columns are."""
        if self._checker is None:
            self._checker = msgspec.json.Decoder(_checked_type(_tree(self._fields)))
        decode = self._checker.decode
        accepted = np.zeros(len(texts), dtype=np.bool_)
        for index, text in enumerate(texts):
            try:
                decode(text)
            except (msgspec.DecodeError, RecursionError):
                continue
            accepted[index] = True
        return accepted

    def _part(self, found: pl.Series, lines: Lines, left: Mask, *, nul_is_unclear: bool) -> Part:
        """Typed columns of the decoded; the records of unclear values go to `left`."""
        unnested: dict[tuple[str, ...], pl.DataFrame] = {}
        values = [_unnested(found, field.path[:-1], unnested)[field.path[-1]] for field in self._fields]
        frame, unclear = convert_columns([field.column for field in self._fields], values)
        for index, mask in enumerate(unclear):
            if mask is not None:
                self._note_unclear(index, values[index].dtype, int(np.count_nonzero(mask)))
                left[lines.record_index[mask]] = True
        if nul_is_unclear:  # half a surrogate pair becomes NUL
            for texts in values:
                if texts.dtype == pl.String:
                    left[lines.record_index[_has_nul(texts)]] = True
        return Part(frame, lines.record_index).without(left)

    def _note_unclear(self, index: int, dtype: pl.DataType, count: int) -> None:
        """Decode a BIGINT with numbers that a double cannot hold as text from now on."""
        field = self._fields[index]
        if field.column.type.kind is Kind.BIGINT and dtype == pl.Float64 and count > _UNCLEAR_MAX:
            self._fields[index] = field._replace(dtype=pl.String())


def _names(path: Path) -> tuple[str, ...]:
    """A path of names only; empty for another."""
    names = tuple(step for step in path if isinstance(step, str))
    return names if len(names) == len(path) else ()


def _overlap(paths: list[tuple[str, ...]]) -> bool:
    """Whether a column is the text of an object in which another column is."""
    return any(a != b and b[: len(a)] == a for a in paths for b in paths)


def _fields(columns: tuple[TypedColumn, ...], paths: list[tuple[str, ...]]) -> list[_Field]:
    """What each column is first decoded as: a path that is mapped twice as text, which every type can be made of."""
    return [
        _Field(column, path, _first_dtype(column) if paths.count(path) == 1 else pl.String())
        for column, path in zip(columns, paths, strict=True)
    ]


def _first_dtype(column: TypedColumn) -> pl.DataType:
    """Integers as doubles: polars would cut fractions off, and null what is too large."""
    if column.type.kind in INTEGERS:
        return pl.Float64()
    return column.dtype if column.type.kind in _DECODED_DIRECTLY else pl.String()


def _tree(fields: list[_Field]) -> Tree:
    tree: Tree = {}
    for field in fields:
        place = tree
        for name in field.path[:-1]:
            inner = place.setdefault(name, {})
            assert isinstance(inner, dict)
            place = inner
        place[field.path[-1]] = field.dtype
    return tree


def _struct(fields: list[_Field], *, as_text: bool) -> pl.Struct:
    return _struct_of(_tree(fields), as_text=as_text)


def _struct_of(tree: Tree, *, as_text: bool) -> pl.Struct:
    members: dict[str, pl.DataType] = {}
    for name, inner in tree.items():
        if isinstance(inner, dict):
            members[name] = _struct_of(inner, as_text=as_text)
        else:
            members[name] = pl.String() if as_text else inner
    return pl.Struct(members)


def _checked_type(tree: Tree) -> type[msgspec.Struct]:
    members = [
        (f"f{index}", (_checked_type(inner) if isinstance(inner, dict) else str | int | float | bool) | None, None)
        for index, inner in enumerate(tree.values())
    ]
    return msgspec.defstruct("Row", members, rename={f"f{index}": name for index, name in enumerate(tree)})


def _unnested(found: pl.Series, path: tuple[str, ...], done: dict[tuple[str, ...], pl.DataFrame]) -> pl.DataFrame:
    """The members of the struct at `path`; each struct is taken apart once."""
    if path not in done:
        struct = _unnested(found, path[:-1], done)[path[-1]] if path else found
        done[path] = struct.struct.unnest()
    return done[path]


def _has_escapes(content: bytes) -> bool:
    return b"\\" in content and b"\\u" in content  # a single byte is looked for many times as fast


def _has_nul(values: pl.Series) -> Mask:
    return values.str.contains("\0", literal=True).fill_null(value=False).to_numpy()


def _wrapped(texts: pl.Series, word: str) -> pl.Series:
    return ('{"' + word + '":' + texts + "}").alias("")


def _objects(records: Records, left: Mask) -> tuple[Lines, bool]:
    """Texts that begin and end with braces, each a record or a line of one, and whether there are no other opening
    braces in them; records that are not such texts go to `left`."""
    content, texts = records.bytes_of(), records.texts()
    starts, stops = records.ends[:-1], records.ends[1:]
    newlines = np.count_nonzero(content == _NEWLINE)
    lines = Lines(texts, np.arange(len(records), dtype=np.int64))
    braced = False
    if (starts < stops).all() and not texts.null_count():
        last = content[stops - 1]
        braced = not newlines and bool((last == _CLOSE).all() and (content[starts] == _OPEN).all())
        newlines -= np.count_nonzero(last == _NEWLINE)
    if not braced:
        lines = Lines(texts.str.strip_chars(_SPACE), lines.record_index)
        lines = _by_lines(lines) if newlines else lines
        left[lines.record_index[~_braced(lines.texts)]] = True
        lines = lines.without(left)
    elif np.count_nonzero(content == _OPEN) == len(records) and not np.count_nonzero(content == _BRACKET):
        return lines, True
    return _not_deep(lines, left)


def _not_deep(lines: Lines, left: Mask) -> tuple[Lines, bool]:
    """Those of the texts that cannot be nested more deeply than `jsonrows` can read."""
    opening = lines.texts.str.count_matches("{", literal=True)
    deep = ((opening + lines.texts.str.count_matches("[", literal=True)) > _OPENING_MAX).to_numpy()
    flat = bool((opening == 1).all())
    if not deep.any():
        return lines, flat
    left[lines.record_index[deep]] = True
    return lines.without(left), flat


def _by_lines(whole: Lines) -> Lines:
    """Each line of a record where all of them are in braces; else the record as it is."""
    lines = split_lines(whole.texts, "\n")
    lines = Lines(lines.texts.str.strip_chars(_SPACE), lines.record_index)
    not_lines = np.zeros(len(whole.texts), dtype=np.bool_)
    not_lines[lines.record_index[~_braced(lines.texts)]] = True
    parts = [lines.without(not_lines), whole.without(~not_lines)]
    indexes = np.concatenate([part.record_index for part in parts])
    order = np.argsort(indexes, kind="stable")
    return Lines(pl.concat([part.texts for part in parts]).gather(order), indexes[order])


def _braced(texts: pl.Series) -> Mask:
    braced = texts.str.starts_with("{") & texts.str.ends_with("}")
    return braced.fill_null(value=False).to_numpy()
