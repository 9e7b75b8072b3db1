"""Random programs of Analytics, made from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from millstream.analytics.language.errors import SqlError
from millstream.analytics.language.parser import parse_program
from millstream.analytics.plan import Catalog, plan_program
from millstream.analytics.plan.nodes import Column, ProgramPlan
from millstream.analytics.scalars.types import INTERVALS, Kind, SqlType, show
from support.sqlrows import COLUMNS, SOURCE, TABLE
from support.sqlscalars import Expressions

CATALOG = Catalog(
    {SOURCE: tuple(Column(*one) for one in COLUMNS.items())}, {"REF": tuple(Column(*one) for one in TABLE.items())}
)
_AGGREGATES = {
    "COUNT(*)": "",
    "COUNT({})": "int float text",
    "SUM({})": "int float dec",
    "AVG({})": "int float dec",
    "MIN({})": "int float dec text stamp date time bool binary",
    "MAX({})": "int float dec text stamp date time bool binary",
    "STDDEV_POP({})": "int float dec",
    "STDDEV_SAMP({})": "int float",
    "VAR_POP({})": "int float",
    "VAR_SAMP({})": "int float",
    "FIRST_VALUE({})": "int float dec text bool stamp",
    "LAST_VALUE({})": "int float dec text bool binary",
    "NTH_VALUE({}, 2)": "int text float",
    "ANY({})": "bool",
    "EVERY({})": "bool",
    "COUNT(DISTINCT {})": "int float text stamp",
    "SUM(DISTINCT {})": "int dec float",
    "EXP_AVG({}, INTERVAL '3' SECOND)": "int float",
}
_LAGS = {
    "LAG({})": "int text float stamp dec",
    "LAG({}, 2)": "int text float",
    "LAG({}, 1, 0)": "int",
    "LAG({}, 2) IGNORE NULLS": "int text",
    "LAST_VALUE({}) IGNORE NULLS": "int float",
    "FIRST_VALUE({}) IGNORE NULLS": "int text",
}
LOOSE = "LOOSE"
"""The stream of calls whose last digits may depend on batches (`operators.over`)."""
_SLIDING = {
    name: families for name, families in (_AGGREGATES | _LAGS).items() if not name.startswith(("STDDEV", "VAR", "EXP"))
}
_LOOSE = {name.format("MOD({}, 7)"): "int" for name in _AGGREGATES if name not in _SLIDING}


class Stream(NamedTuple):
    """An in-application stream that may be read."""

    name: str
    columns: dict[str, SqlType]


class Query(NamedTuple):
    """A SELECT, and the statements before it."""

    text: str
    columns: dict[str, SqlType]


def plan_of(text: str) -> ProgramPlan:
    """The plan of a program over the source and the reference table. Raises SqlError."""
    return plan_program(parse_program(text), CATALOG, text=text)


class Maker:
    """Makes a program of up to `pumps_max` pumps. `refused`: queries that the planner did not take, and why."""

    def __init__(self, seed: int, pumps_max: int = 6) -> None:
        self._chance = random.Random(seed)
        self._streams = [Stream(SOURCE, COLUMNS)]
        self._statements: list[str] = []
        self._aliases = 0
        self.refused: list[tuple[str, SqlError]] = []
        self.tried = 0
        wanted = self._chance.randrange(1, pumps_max + 1)
        while len(self._streams) <= wanted:
            self._add(f"S{len(self._streams)}", self._query(self._chance.choice(self._streams[-3:])))
        if self._chance.random() < 0.3:
            self._add(LOOSE, self._slide(self._chance.choice(self._streams), _LOOSE))

    @property
    def text(self) -> str:
        """The program."""
        return "\n".join(self._statements)

    def _add(self, name: str, query: str) -> None:
        columns = self._types(query)
        if not columns:
            return
        shown = ", ".join(f'"{column}" {show(of)}' for column, of in columns.items())
        chosen = ", ".join(f'"{column}"' for column in columns)
        self._statements += [
            f'CREATE STREAM "{name}" ({shown});',
            f'CREATE PUMP "P{name}" AS INSERT INTO "{name}" ({chosen}) SELECT STREAM {chosen} FROM ({query});',
        ]
        self._streams.append(Stream(name, columns))
        if self._chance.random() < 0.15:  # two pumps into one stream
            again = self._query(self._chance.choice(self._streams[:-1]))
            if self._types(again) == columns:
                self._statements.append(f'CREATE PUMP "Q{name}" AS INSERT INTO "{name}" {again};')

    def _types(self, query: str) -> dict[str, SqlType]:
        """The columns that a stream can have of a query; none if it is refused."""
        self.tried += 1
        try:
            plan = plan_of(f"{self.text}\n{query};")
        except SqlError as error:
            self.refused.append((query, error))
            return {}
        assert plan.query is not None
        kept = [column for column in plan.query.columns if column.type.kind not in INTERVALS | {Kind.RECORD, Kind.NULL}]
        return {column.name: column.type for column in kept}

    # --- queries over one stream; each gives the text of a SELECT

    def _query(self, stream: Stream) -> str:
        kinds: list[Callable[[Stream], str]] = [
            self._project,
            self._project,
            self._tumble,
            self._tumble,
            self._tumble,
            self._slide,
            self._slide,
            self._slide,
            self._stagger,
            self._session,
            self._distinct,
            self._sort,
            self._union,
            self._join,
            self._join,
            self._lookup,
            self._function,
            self._monotonic,
            self._nested,
        ]
        return self._chance.choice(kinds)(stream)

    def _alias(self) -> str:
        self._aliases += 1
        return f"t{self._aliases}"

    def _fields(self, stream: Stream, alias: str) -> Expressions:
        fields = {f'{alias}."{name}"': of for name, of in stream.columns.items()}
        return Expressions(self._chance, fields | {f"{alias}.ROWTIME": SqlType(Kind.TIMESTAMP)})

    def _items(self, texts: list[str]) -> str:
        return ", ".join(f'{text} AS "c{number}"' for number, text in enumerate(texts, start=1))

    def _where(self, fields: Expressions) -> str:
        return f" WHERE {fields.of('bool', 2)}" if self._chance.random() < 0.3 else ""

    def _keep(self, fields: Expressions, count: int | None = None) -> list[str]:
        known = [text for texts in fields.by_family.values() for text in texts if not text.endswith("ROWTIME")]
        return self._chance.sample(known, min(self._chance.randrange(4) if count is None else count, len(known)))

    def _project(self, stream: Stream) -> str:
        alias = self._alias()
        fields = self._fields(stream, alias)
        texts = self._keep(fields, self._chance.randrange(1, 7)) + [
            fields.any(3) for _ in range(self._chance.randrange(1, 5))
        ]
        return f'SELECT STREAM {self._items(texts)} FROM "{stream.name}" AS {alias}{self._where(fields)}'

    def _calls(self, fields: Expressions, table: Mapping[str, str], count: int) -> list[str]:
        made = []
        for _ in range(count):
            call, families = self._chance.choice(list(table.items()))
            family = self._chance.choice(families.split()) if families else "int"
            made.append(call.format(fields.of(family, self._chance.choice((0, 0, 1)))))
        return made

    def _keys(self, fields: Expressions) -> list[str]:
        keys = [fields.column(("text", "int", "bool")), fields.any(1), fields.column()]
        return [key for key in self._chance.sample(keys, self._chance.choice((0, 1, 1, 2))) if key is not None]

    def _some(self, numbers: Sequence[int]) -> int:
        return self._chance.choice(numbers)

    def _length(self, seconds: tuple[int, ...] = (1, 2, 3, 5, 10, 60)) -> str:
        return f"INTERVAL '{self._chance.choice(seconds)}' SECOND"

    def _step(self, time: str) -> str:
        return self._chance.choice(
            (
                f"STEP({time} BY {self._length()})",
                f"FLOOR({time} TO SECOND)",
                f"FLOOR({time} TO MINUTE)",
                f"FLOOR(({time} - TIMESTAMP '1970-01-01 00:00:00') SECOND / {self._some((2, 5, 10))} TO SECOND)",
            )
        )

    def _tumble(self, stream: Stream) -> str:
        alias = self._alias()
        fields = self._fields(stream, alias)
        steps = [self._step(f"{alias}.ROWTIME")]
        events = [one for one in fields.by_family.get("stamp", []) if not one.endswith("ROWTIME")]
        draw = self._chance.random()
        if events and draw < 0.35:
            steps = ([] if draw < 0.15 else steps) + [self._step(self._chance.choice(events))]
        keys = self._keys(fields)
        group = self._chance.sample(keys + steps, len(keys) + len(steps))
        shown = [one for one in steps if not one.startswith("FLOOR((")]
        texts = [*keys, *shown, *self._calls(fields, _AGGREGATES, self._chance.randrange(1, 5))]
        measure = self._calls(fields, {"COUNT(*)": "", "MAX({})": "int", "SUM({})": "float"}, 1)[0]
        having = f" HAVING {measure} > {self._chance.randrange(3)}"
        having = having if self._chance.random() < 0.25 else ""
        over = (
            [f"SUM(COUNT(*)) OVER (ROWS {self._chance.randrange(4)} PRECEDING)"] if self._chance.random() < 0.15 else []
        )
        return (
            f'SELECT STREAM {self._items(texts + over)} FROM "{stream.name}" AS {alias}{self._where(fields)} '
            f"GROUP BY {', '.join(group)}{having}"
        )

    def _frame(self) -> str:
        return self._chance.choice(
            (
                f"RANGE {self._length()} PRECEDING",
                f"RANGE BETWEEN {self._length()} PRECEDING AND CURRENT ROW",
                f"ROWS {self._chance.choice((0, 1, 2, 5))} PRECEDING",
                "ROWS UNBOUNDED PRECEDING",
                "RANGE UNBOUNDED PRECEDING",
            )
        )

    def _slide(self, stream: Stream, table: Mapping[str, str] | None = None) -> str:
        alias = self._alias()
        fields = self._fields(stream, alias)
        texts = self._keep(fields)
        for call in self._calls(fields, table or _SLIDING, self._chance.randrange(1, 6)):
            keys = self._keys(fields)
            partition = f"PARTITION BY {', '.join(keys)} " if keys else ""
            texts.append(f"{call} OVER ({partition}{self._frame()})")
        return f'SELECT STREAM {self._items(texts)} FROM "{stream.name}" AS {alias}{self._where(fields)}'

    def _windowed(self, stream: Stream, window: str) -> str:
        alias = self._alias()
        fields = self._fields(stream, alias)
        keys = self._keys(fields) or [fields.any(0)]
        stamps = list(fields.by_family.get("stamp", []))
        on = f" ON {self._chance.choice(stamps)}" if "TIMEOUT" in window and self._chance.random() < 0.3 else ""
        texts = keys + self._calls(fields, _AGGREGATES, self._chance.randrange(1, 5))
        body = f"WINDOWED BY {window.format(keys=', '.join(keys), on=on)}"
        having = " HAVING COUNT(*) > 1" if self._chance.random() < 0.2 else ""
        return f'SELECT STREAM {self._items(texts)} FROM "{stream.name}" AS {alias}{self._where(fields)} {body}{having}'

    def _stagger(self, stream: Stream) -> str:
        return self._windowed(stream, f"STAGGER (PARTITION BY {{keys}} RANGE {self._length()})")

    def _session(self, stream: Stream) -> str:
        return self._windowed(stream, f"SESSION (PARTITION BY {{keys}}{{on}} TIMEOUT {self._length()})")

    def _distinct(self, stream: Stream) -> str:
        alias = self._alias()
        fields = self._fields(stream, alias)
        texts = [
            self._chance.choice((f"STEP({alias}.ROWTIME BY {self._length()})", f"{alias}.ROWTIME")),
            *(fields.any(1) for _ in range(self._chance.randrange(1, 3))),
        ]
        return f'SELECT STREAM DISTINCT {self._items(texts)} FROM "{stream.name}" AS {alias}{self._where(fields)}'

    def _sort(self, stream: Stream) -> str:
        alias = self._alias()
        fields = self._fields(stream, alias)
        texts = [*self._keep(fields), fields.any(1)]
        first = self._chance.choice(
            (f"{alias}.ROWTIME", f"STEP({alias}.ROWTIME BY {self._length()})", f"FLOOR({alias}.ROWTIME TO SECOND)")
        )
        keys = [fields.any(1) + self._chance.choice(("", " DESC")) for _ in range(self._chance.randrange(1, 3))]
        order = ", ".join([first, *keys])
        return (
            f'SELECT STREAM {self._items(texts)} FROM "{stream.name}" AS {alias}{self._where(fields)} ORDER BY {order}'
        )

    def _monotonic(self, stream: Stream) -> str:
        alias = self._alias()
        fields = self._fields(stream, alias)
        value = fields.of(self._chance.choice(("int", "float", "stamp", "dec")), 1)
        items = self._items([f"MONOTONIC({value})", *self._keep(fields)])
        return f'SELECT STREAM {items} FROM "{stream.name}" AS {alias}{self._where(fields)}'

    def _nested(self, stream: Stream) -> str:
        inner = self._query(stream)
        columns = self._types(inner)
        if not columns:
            return inner
        made = self._query(Stream("$inner", columns))
        return made.replace('"$inner"', f"({inner})")

    def _union(self, stream: Stream) -> str:
        first, second = self._alias(), self._alias()
        names = self._chance.sample(list(stream.columns), min(3, len(stream.columns)))
        one, two = self._fields(stream, first), self._fields(stream, second)
        left = self._items([f'{first}."{name}"' for name in names])
        right = self._items([f'{second}."{name}"' for name in names])
        return (
            f'SELECT STREAM {left} FROM "{stream.name}" AS {first}{self._where(one)} UNION ALL '
            f'SELECT STREAM {right} FROM "{stream.name}" AS {second} WHERE {two.of("bool", 1)}'
        )

    def _join(self, stream: Stream) -> str:
        other = self._chance.choice(self._streams)
        a, b = self._alias(), self._alias()
        left, right = self._fields(stream, a), self._fields(other, b)
        family = self._chance.choice(("text", "int", "stamp", "float", "bool"))
        pairs = [
            f"{left.of(family, 0)} = {right.of(family, 0)}"
            for family in self._chance.sample(
                ("text", "int", "stamp", "bool", "dec"), self._chance.choice((0, 1, 1, 2))
            )
        ]
        both = Expressions(self._chance, {})
        for family in {*left.by_family, *right.by_family}:
            both.by_family[family] = left.by_family.get(family, []) + right.by_family.get(family, [])
        if self._chance.random() < 0.3 or not pairs:
            pairs.append(both.of("bool", 1))
        kind = self._chance.choice(("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"))
        texts = [*self._keep(left), *self._keep(right), both.any(1)]
        first = f" OVER ({self._frame()})" if self._chance.random() < 0.6 else ""
        second = f" OVER ({self._frame()})" if self._chance.random() < 0.8 or not first else ""
        return (
            f'SELECT STREAM {self._items(texts)} FROM "{stream.name}"{first} AS {a} '
            f'{kind} "{other.name}"{second} AS {b} ON {" AND ".join(pairs)}{self._where(both)}'
        )

    def _lookup(self, stream: Stream) -> str:
        a, b = self._alias(), self._alias()
        left, table = (
            self._fields(stream, a),
            Expressions(self._chance, {f'{b}."{name}"': of for name, of in TABLE.items()}),
        )
        on = self._chance.choice(
            (
                f"{left.of('text', 0)} = {b}.NAME",
                f"{left.of('int', 0)} = {b}.NUM",
                f"{left.of('float', 1)} > {b}.FACTOR",
                f"{left.of('int', 0)} + 1 = {b}.NUM AND {left.of('bool', 1)}",
            )
        )
        texts = [*self._keep(left), f"{b}.NUM", f"{b}.NAME", table.any(1)]
        kind = self._chance.choice(("JOIN", "LEFT JOIN"))
        return (
            f'SELECT STREAM {self._items(texts)} FROM "{stream.name}" AS {a} '
            f"{kind} REF AS {b} ON {on}{self._where(left)}"
        )

    def _function(self, stream: Stream) -> str:
        alias = self._alias()
        fields = self._fields(stream, alias)
        texts = [fields.column(("int", "float")) or "1", fields.column(("int", "float", "text")) or "2"]
        cursor = f'CURSOR(SELECT STREAM {self._items(texts)} FROM "{stream.name}" AS {alias}{self._where(fields)})'
        call = self._chance.choice(
            (
                f"COUNT_DISTINCT_ITEMS_TUMBLING({cursor}, 'c2', 5)",
                f"TOP_K_ITEMS_TUMBLING({cursor}, 'c2', 2, 5)",
                f"RANDOM_CUT_FOREST({cursor}, 5, 10, 100, 1)",
                f"RANDOM_CUT_FOREST_WITH_EXPLANATION({cursor}, 4, 10, 50, 1, true)",
                f"RANDOM_CUT_FOREST({cursor}, 3, 10, 50, 2)",
                f"HOTSPOTS({cursor}, 100, 2.5, 3)",
                f"GROUP_RANK({cursor}, 'c1', 'rank', 'desc', 'asc', 3, 0)",
            )
        )
        return f"SELECT STREAM * FROM TABLE({call})"
