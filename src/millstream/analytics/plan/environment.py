"""What the names of a program mean at one of its statements."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlglot import exp

from millstream.analytics.plan.nodes import Column
from millstream.analytics.plan.problems import problem
from millstream.analytics.plan.suggestions import name_hint, written
from millstream.analytics.scalars.nodes import Scalar
from millstream.analytics.scalars.types import TIMESTAMP, Kind, SqlType

ROWTIME = "ROWTIME"
ERROR_STREAM = "error_stream"


def _text(size: int) -> SqlType:
    return SqlType(Kind.VARCHAR, size)


SOURCE_COLUMNS = (
    Column("APPROXIMATE_ARRIVAL_TIME", TIMESTAMP),
    Column("PARTITION_KEY", _text(512)),
    Column("SHARD_ID", _text(64)),
    Column("SEQUENCE_NUMBER", _text(128)),
)
"""Columns of every source stream that are there by name and not part of `*`."""

ERROR_COLUMNS = (
    Column("ERROR_TIME", TIMESTAMP),
    Column("ERROR_LEVEL", _text(10)),
    Column("ERROR_NAME", _text(32)),
    Column("MESSAGE", _text(4096)),
    Column("DATA_ROWTIME", TIMESTAMP),
    Column("DATA_ROW", _text(49152)),
    Column("PUMP_NAME", _text(128)),
)


class Catalog(NamedTuple):
    """What an application's configuration gives its program: source streams and reference tables, by name."""

    sources: dict[str, tuple[Column, ...]]
    tables: dict[str, tuple[Column, ...]]


class Stream(NamedTuple):
    """A stream to read from; `required`: columns that are NOT NULL."""

    name: str
    columns: tuple[Column, ...]
    source: bool = False
    required: frozenset[str] = frozenset()

    @property
    def hidden(self) -> tuple[Column, ...]:
        """Columns that `*` leaves out."""
        own = {column.name for column in self.columns}
        return tuple(column for column in SOURCE_COLUMNS if self.source and column.name not in own)


class View(NamedTuple):
    """A named query; `columns`: names that it gives to what the query gives; `environment`: what names mean in it."""

    name: str
    query: exp.Expression
    columns: tuple[str, ...] | None
    environment: Environment


class Function(NamedTuple):
    """An SQL function: `value` is what it gives, over columns that are its parameters."""

    name: str
    parameters: tuple[Column, ...]
    value: Scalar


@dataclass
class Environment:
    """Everything that has a name. Changes from statement to statement."""

    streams: dict[str, Stream] = field(default_factory=dict)
    tables: dict[str, tuple[Column, ...]] = field(default_factory=dict)
    views: dict[str, View] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)

    @classmethod
    def of(cls, catalog: Catalog) -> Environment:
        """At the program's beginning."""
        streams = {name: Stream(name, columns, source=True) for name, columns in catalog.sources.items()}
        streams[ERROR_STREAM] = Stream(ERROR_STREAM, ERROR_COLUMNS)
        return cls(streams=streams, tables=dict(catalog.tables))

    def copy(self) -> Environment:
        """As it is now."""
        return Environment(dict(self.streams), dict(self.tables), dict(self.views), dict(self.functions))

    def relation(self, name: exp.Identifier) -> Stream | View | tuple[Column, ...]:
        """The stream, view or reference table of that name."""
        text = ERROR_STREAM if name.this == ERROR_STREAM.upper() and not name.args.get("quoted") else name.this
        for place in (self.streams, self.views, self.tables):
            found = place.get(text)
            if found is not None:
                return found
        raise problem(name, f"There is no stream or table {written(name.this)}", self._hint(name, self._relations()))

    def target(self, name: exp.Identifier) -> Stream:
        """The stream to insert into."""
        found = self.streams.get(name.this)
        if found is None:
            other = "a view" if name.this in self.views else "a reference table" if name.this in self.tables else ""
            if other:
                raise problem(name, f"{written(name.this)} is {other}: rows are inserted into streams only")
            hint = self._hint(name, self.streams) or "CREATE OR REPLACE STREAM it before the pump"
            raise problem(name, f"There is no stream {written(name.this)}", hint)
        if found.source or found.name == ERROR_STREAM:
            kind = "fed by the application's input" if found.source else "written by the application itself"
            raise problem(name, f"Stream {written(found.name)} is {kind}", "insert into a stream of your own")
        return found

    def _relations(self) -> list[str]:
        return [*self.streams, *self.views, *self.tables]

    def _hint(self, name: exp.Identifier, candidates: Iterable[str]) -> str:
        return name_hint(name.this, bool(name.args.get("quoted")), candidates)
