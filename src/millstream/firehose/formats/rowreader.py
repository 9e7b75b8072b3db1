"""The fast way from records to columns: records that are one JSON object each, decoded straight into structs.

A struct has a field `f3` for the fourth field of the schema, under the key as the data spells it, and one for each key
that is not of the schema, so that a spelling not seen before cannot pass for a key to be ignored. What is learned
changes how fast records are read, and nothing else: where it cannot be sure, it leaves the records to the slower way.

Structs are not tracked by the garbage collector, which takes half of the time where dicts are made in such numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import chain
from types import GenericAlias
from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from millstream.firehose.formats import hive

UNKNOWN_MAX = 100  # keys outside of the schema, in one struct; data with more has keys that are data

NameOf = Callable[[str], str]


def struct_columns(values: list[Any], count: int, *, whole: bool) -> list[list[Any]]:
    """The fields of decoded structs, for a struct of the schema with `count` fields. `whole`: no value is None."""
    sample: Any = next((each for each in values if each is not None), None)
    getters = _getters(type(sample))
    nulls = [None] * len(values)
    columns: list[list[Any]] = []
    for name in map("f{}".format, range(count)):
        if name not in getters:
            columns.append(nulls)
        elif whole:
            columns.append(getters[name](values))
        else:
            columns.append([None if each is None else getattr(each, name) for each in values])
    return columns


def _getters(kind: type[Any]) -> dict[str, Callable[[list[Any]], list[Any]]]:
    """By field of a kind of struct, what gets it from each of many.

    Each is code of its own, which the interpreter fits to this one kind: that takes half as long as attrgetter.
    """
    getters = _GETTERS.get(kind)
    if getters is None:
        names: tuple[str, ...] = getattr(kind, "__struct_fields__", ())
        getters = {name: eval(f"lambda values: [each.{name} for each in values]") for name in names}  # noqa: S307  f0, u0
        _GETTERS[kind] = getters
    return getters


_GETTERS = WeakKeyDictionary[type[Any], dict[str, Callable[[list[Any]], list[Any]]]]()


class RowReader:
    """Reads rows of `fields`. `key_of` and `normalize` are as in `columns.Reading`.

    With `exact`, numbers with a fraction or an exponent become Decimals.
    """

    def __init__(self, fields: Iterable[hive.Field], key_of: NameOf, normalize: NameOf, *, exact: bool) -> None:
        self._row = _Keys(hive.Struct(tuple(fields)), key_of, normalize)
        self._float_hook = Decimal if exact else None
        self._decode = self._decoder()

    def read(self, records: list[bytes]) -> list[Any] | None:
        """The structs of records, for `struct_columns`; None if the records are not for this way."""
        if not self._row.sure:
            return None
        try:
            return list(map(self._decode, records))
        except (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError):
            return None

    def learn(self, rows: list[dict[str, Any]]) -> None:
        """Takes note of the keys of rows that were read the slower way."""
        if self._row.sure and self._row.learn(rows) and self._row.sure:
            self._decode = self._decoder()

    def _decoder(self) -> Callable[[bytes], Any]:
        decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(self._row.struct(), float_hook=self._float_hook)
        return decoder.decode


class _Keys:
    """What is known of the keys of one struct of the schema, and of those within it."""

    def __init__(self, kind: hive.Struct, key_of: NameOf, normalize: NameOf) -> None:
        self._keys = [key_of(field.name) for field in kind.fields]
        self._normalize = normalize
        self._spellings: dict[str, str] = {}
        self._unknown: set[str] = set()
        self._sure = len(set(self._keys)) == len(self._keys)
        self._inner: dict[int, tuple[_Keys, int]] = {}  # by index, with the number of arrays around it
        for index, field in enumerate(kind.fields):
            inner, depth = field.type, 0
            while isinstance(inner, hive.Array):
                inner, depth = inner.element, depth + 1
            if isinstance(inner, hive.Struct):
                self._inner[index] = (_Keys(inner, key_of, normalize), depth)

    @property
    def sure(self) -> bool:
        """Whether each key has one spelling, here and within."""
        return self._sure and len(self._unknown) <= UNKNOWN_MAX and all(inner.sure for inner, _ in self._inner.values())

    def learn(self, values: Iterable[Any]) -> bool:
        """Takes note of the keys of objects among the values; whether there were new ones, here or within."""
        rows = [each for each in values if isinstance(each, dict)]
        before = len(self._spellings) + len(self._unknown)
        for key in set().union(*rows):
            normal = self._normalize(key)
            if normal not in self._keys:
                self._unknown.add(key)
            elif self._spellings.setdefault(normal, key) != key:
                self._sure = False
        changed = len(self._spellings) + len(self._unknown) > before
        for index, (inner, depth) in self._inner.items():
            parts: list[Any] = [row.get(self._spellings.get(self._keys[index], "")) for row in rows]
            for _ in range(depth):
                parts = list(chain.from_iterable(each for each in parts if isinstance(each, list)))
            changed = inner.learn(parts) or changed
        return changed

    def struct(self) -> Any:
        """The struct that objects with these keys, and no others, are decoded into."""
        fields: list[tuple[str, Any, Any]] = [
            (f"f{index}", self._type(index), msgspec.field(default=None, name=self._spellings[key]))
            for index, key in enumerate(self._keys)
            if key in self._spellings
        ]
        unknown = enumerate(sorted(self._unknown))
        fields += [(f"u{index}", Any, msgspec.field(default=None, name=key)) for index, key in unknown]
        return msgspec.defstruct("Row", fields, gc=False, forbid_unknown_fields=True)

    def _type(self, index: int) -> Any:
        if index not in self._inner:
            return Any
        inner, depth = self._inner[index]
        kind: Any = inner.struct() | None
        for _ in range(depth):
            kind = GenericAlias(list, (kind,)) | None
        return kind
