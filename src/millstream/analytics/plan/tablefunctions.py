"""TABLE(function(CURSOR(…), …)): functions of whole streams.

Parameters, their defaults and ranges are those of the SQL reference; the forest's arguments after the cursor may be
left out from the right.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from sqlglot import exp

from millstream.analytics.language.nodes import Cursor
from millstream.analytics.plan.context import Context
from millstream.analytics.plan.names import TABLE_FUNCTIONS
from millstream.analytics.plan.nodes import Column, TableFunction
from millstream.analytics.plan.problems import problem
from millstream.analytics.plan.relational import Rows, Selected
from millstream.analytics.plan.scopes import Scope
from millstream.analytics.plan.suggestions import did_you_mean, written
from millstream.analytics.scalars.nodes import Literal
from millstream.analytics.scalars.types import (
    BIGINT,
    DOUBLE,
    FLOATS,
    INTEGER,
    INTEGERS,
    Kind,
    varchar,
)

Constant = int | float | str | bool

_INTEGER_MAX = 2**31 - 1
_NUMERIC_COLUMNS_MAX = 30
_RANKED = INTEGERS | {
    Kind.CHAR,
    Kind.VARCHAR,
    Kind.DECIMAL,
    Kind.REAL,
    Kind.DOUBLE,
    Kind.DATE,
    Kind.TIME,
    Kind.TIMESTAMP,
}


class Whole(NamedTuple):
    """A whole number within bounds."""

    least: int
    greatest: int

    def check(self, value: object) -> Constant | None:
        """The value if it fits."""
        fits = isinstance(value, int) and not isinstance(value, bool) and self.least <= value <= self.greatest
        return value if fits and isinstance(value, int) else None

    def wanted(self) -> str:
        """What people may write."""
        return f"a whole number from {self.least} to {self.greatest}"


class Positive(NamedTuple):
    """A number above zero."""

    def check(self, value: object) -> Constant | None:
        """The value if it fits."""
        is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
        return float(value) if is_number and isinstance(value, int | float | Decimal) and value > 0 else None

    def wanted(self) -> str:
        """What people may write."""
        return "a number above 0"


class Truth(NamedTuple):
    """TRUE or FALSE."""

    def check(self, value: object) -> Constant | None:
        """The value if it fits."""
        return value if isinstance(value, bool) else None

    def wanted(self) -> str:
        """What people may write."""
        return "TRUE or FALSE"


class Word(NamedTuple):
    """One of some words, in any case; any text if there are none."""

    words: tuple[str, ...] = ()

    def check(self, value: object) -> Constant | None:
        """The value if it fits."""
        if not isinstance(value, str) or not value:
            return None
        return value if not self.words else value.lower() if value.lower() in self.words else None

    def wanted(self) -> str:
        """What people may write."""
        return " or ".join(f"'{word}'" for word in self.words) or "a text in single quotes"


class Parameter(NamedTuple):
    """`is_column`: the text names a column of the cursor. `default` None: it must be given."""

    name: str
    domain: Whole | Positive | Truth | Word
    default: Constant | None = None
    is_column: bool = False


class Asked(NamedTuple):
    """A call: its cursor's columns, its other arguments."""

    call: exp.Anonymous
    columns: tuple[Column, ...]
    arguments: tuple[Constant, ...]


class Function(NamedTuple):
    """A table function. `columns` gives what comes out, of the cursor's columns and the arguments."""

    parameters: tuple[Parameter, ...]
    columns: Callable[[Asked], tuple[Column, ...]]


def plan_table_function(context: Context, call: exp.Anonymous) -> Selected:
    """A call in FROM. Raises SqlError."""
    name = str(call.this)
    function = FUNCTIONS.get(name)
    if function is None:
        raise problem(call, f"There is no table function {written(name)}", did_you_mean(name, TABLE_FUNCTIONS))
    if not call.expressions or not isinstance(call.expressions[0], Cursor):
        raise problem(call, f"The first argument of {name} is a query", "write CURSOR(SELECT STREAM * FROM a_stream)")
    cursor = context.nested(call.expressions[0].this.unnest())
    arguments = _arguments(context, call, function.parameters, cursor.columns)
    columns = function.columns(Asked(call, cursor.columns, arguments))
    node = TableFunction(name, cursor.rows.node, arguments, columns)
    kept = {column.name for column in cursor.columns} & {column.name for column in columns}
    passes = columns[: len(cursor.columns)] == cursor.columns
    times = {key: value for key, value in cursor.rows.times.items() if passes and key in kept}
    return Selected(Rows(node, times), columns)


def _arguments(
    context: Context, call: exp.Anonymous, parameters: tuple[Parameter, ...], columns: tuple[Column, ...]
) -> tuple[Constant, ...]:
    given = call.expressions[1:]
    if len(given) > len(parameters):
        raise problem(given[len(parameters)], f"{call.this} takes {len(parameters)} arguments after the CURSOR")
    values: list[Constant] = []
    for index, parameter in enumerate(parameters):
        if index < len(given):
            value = _argument(context, given[index], parameter)
            values.append(_column_name(given[index], str(value), columns) if parameter.is_column else value)
        elif parameter.default is None:
            names = ", ".join(one.name for one in parameters)
            raise problem(call, f"{call.this} lacks its argument {parameter.name}", f"arguments: CURSOR(…), {names}")
        else:
            values.append(parameter.default)
    _check_together(call, dict(zip([one.name for one in parameters], values, strict=True)))
    return tuple(values)


def _argument(context: Context, node: exp.Expression, parameter: Parameter) -> Constant:
    if isinstance(node, exp.Column) and parameter.is_column:
        raise problem(node, f"{parameter.name} is the name of a column", f"write '{node.name}', in single quotes")
    scalar = context.translator(Scope(), "a table function's arguments").scalar(node)
    value = parameter.domain.check(scalar.value) if isinstance(scalar, Literal) else None
    if value is None:
        raise problem(node, f"{parameter.name} is {parameter.domain.wanted()}")
    return value


def _column_name(node: exp.Expression, name: str, columns: tuple[Column, ...]) -> str:
    names = [column.name for column in columns]
    for candidate in (name, name.upper()):
        if candidate in names:
            return candidate
    alike = [one for one in names if one.upper() == name.upper()]
    if len(alike) == 1:
        return alike[0]
    hint = did_you_mean(name, names) or f"its columns are {', '.join(written(one) for one in names)}"[:200]
    raise problem(node, f"The CURSOR has no column {written(name)}", hint)


def _check_together(call: exp.Expression, values: dict[str, Constant]) -> None:
    sample, decay = values.get("subSampleSize"), values.get("timeDecay")
    if isinstance(sample, int) and isinstance(decay, int) and sample >= decay:
        raise problem(call, f"subSampleSize ({sample}) must be below timeDecay ({decay})")
    window, least = values.get("windowSize"), values.get("minimumNumberOfPointsInAHotspot")
    if isinstance(window, int) and isinstance(least, int) and least > window:
        raise problem(call, f"minimumNumberOfPointsInAHotspot ({least}) cannot be above windowSize ({window})")


def _distinct_columns(_: Asked) -> tuple[Column, ...]:
    return (Column("NUMBER_OF_DISTINCT_ITEMS", BIGINT),)


def _top_columns(_: Asked) -> tuple[Column, ...]:
    return (Column("ITEM", varchar(1024)), Column("ITEM_COUNT", BIGINT))


def _learning(*extra: Column) -> Callable[[Asked], tuple[Column, ...]]:
    def columns_of(asked: Asked) -> tuple[Column, ...]:
        name, count = asked.call.this, sum(column.type.kind in INTEGERS | FLOATS for column in asked.columns)
        if not count:
            hint = "CAST a column to DOUBLE; DECIMAL is not used"
            raise problem(asked.call, f"{name} needs a numeric column in its CURSOR", hint)
        if count > _NUMERIC_COLUMNS_MAX:
            message = f"{name} takes at most {_NUMERIC_COLUMNS_MAX} numeric columns, not {count}"
            raise problem(asked.call, message, "select those that matter in the CURSOR")
        return _with(asked, extra)

    return columns_of


def _ranked(asked: Asked) -> tuple[Column, ...]:
    by = next(column for column in asked.columns if column.name == asked.arguments[0])
    if by.type.kind not in _RANKED:
        raise problem(asked.call, f"GROUP_RANK cannot rank by a {by.type.kind}")
    name = str(asked.arguments[1])
    if name.startswith("$"):
        raise problem(asked.call, f"rankOutColumnName {written(name)}: names that begin with $ are the system's")
    return _with(asked, (Column(name, INTEGER),))


def _with(asked: Asked, extra: tuple[Column, ...]) -> tuple[Column, ...]:
    names = {column.name for column in asked.columns}
    for column in extra:
        if column.name in names:
            message = f"The CURSOR has a column {written(column.name)} already"
            raise problem(asked.call, message, "give it another name with AS")
    return (*asked.columns, *extra)


_WINDOW = Parameter("windowSize", Whole(1, 3600))
_COLUMN = Parameter("columnName", Word(), is_column=True)
_FOREST = (
    Parameter("numberOfTrees", Whole(1, 1000), 100),
    Parameter("subSampleSize", Whole(10, 1000), 256),
    Parameter("timeDecay", Whole(1, _INTEGER_MAX), 100_000),
    Parameter("shingleSize", Whole(1, 30), 1),
)
_SCORE = Column("ANOMALY_SCORE", DOUBLE)
_ORDER = Word(("asc", "desc"))

FUNCTIONS = {
    "COUNT_DISTINCT_ITEMS_TUMBLING": Function((_COLUMN, _WINDOW), _distinct_columns),
    "TOP_K_ITEMS_TUMBLING": Function((_COLUMN, Parameter("K", Whole(1, 100_000)), _WINDOW), _top_columns),
    "RANDOM_CUT_FOREST": Function(_FOREST, _learning(_SCORE)),
    "RANDOM_CUT_FOREST_WITH_EXPLANATION": Function(
        (*_FOREST, Parameter("withDirectionality", Truth(), False)),
        _learning(_SCORE, Column("ANOMALY_EXPLANATION", varchar(20_480))),
    ),
    "HOTSPOTS": Function(
        (
            Parameter("windowSize", Whole(100, 1000)),
            Parameter("scanRadius", Positive()),
            Parameter("minimumNumberOfPointsInAHotspot", Whole(2, 1000)),
        ),
        _learning(Column("HOTSPOTS_RESULT", varchar(10_000))),
    ),
    "GROUP_RANK": Function(
        (
            Parameter("rankByColumnName", Word(), is_column=True),
            Parameter("rankOutColumnName", Word()),
            Parameter("sortOrder", _ORDER),
            Parameter("outputOrder", _ORDER),
            Parameter("maxIdle", Whole(0, _INTEGER_MAX)),
            Parameter("outputMax", Whole(0, _INTEGER_MAX)),
        ),
        _ranked,
    ),
}
