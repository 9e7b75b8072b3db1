"""The syntax tree: sqlglot's expressions where SQL has them, these where streams add to it.

Every node made by the parser has `meta["span"]`, a Span. Names are exp.Identifier: `this` is the name as it counts
(folded to upper case
unless quoted), `quoted` says whether it was quoted.

Expressions use sqlglot's own classes: exp.Column(this, table), exp.Dot (a field of a record: T.REC.COLUMN1),
exp.Literal (number or
string), exp.Boolean, exp.Null, exp.Star, exp.Paren, exp.Neg, exp.Not, exp.And, exp.Or, exp.Add, exp.Sub, exp.Mul,
exp.Div,
exp.DPipe (||), exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Is (IS [NOT] NULL/TRUE/FALSE/UNKNOWN:
expression is exp.Null or
exp.Boolean, negated by exp.Not; UNKNOWN is exp.Null), exp.Between, exp.In (expressions), exp.Like and exp.SimilarTo
(wrapped in exp.Escape
where there is ESCAPE), exp.Case (this, ifs, default), exp.Alias, exp.Ordered (this, desc), exp.Window, exp.Subquery.
Every function call is exp.Anonymous(this=NAME in upper case, expressions=arguments), also those that SQL writes with
words inside:
SUBSTRING(a FROM b FOR c) has the arguments a, b, c; POSITION(a IN b): a, b; TRIM([BOTH|LEADING|TRAILING] [c] FROM
a): Literal string of the
side, c (or Literal ' '), a; OVERLAY(a PLACING b FROM c FOR d): a, b, c, d; EXTRACT(unit FROM a): Literal string of
the unit, a.
COUNT(*) has the argument exp.Star; COUNT(DISTINCT x) the argument exp.Distinct(expressions=[x]).
X'0aff' is exp.HexString(this=digits); IS [NOT] DISTINCT FROM is exp.NullSafeNEQ (exp.NullSafeEQ).
No tree is higher than `cursor.HEIGHT_MAX`: long chains of AND, OR, ||, + or * are balanced, others have that bound.
"""

from __future__ import annotations

from typing import ClassVar

from sqlglot import exp

from millstream.analytics.language.errors import Span


def span_of(node: exp.Expression) -> Span | None:
    """Where the node stands in the program."""
    found = node.meta.get("span")
    return found if isinstance(found, Span) else None


class TypeName(exp.Expression):
    """A type: `this` its name in upper case without aliases ("DOUBLE" for DOUBLE PRECISION, "INTEGER" for INT),
    `parameters` its numbers (ints). In CAST also "INTERVAL unit" and "INTERVAL unit TO unit"."""

    arg_types: ClassVar = {"this": True, "parameters": False}


class TypeCast(exp.Expression):
    """CAST(this AS to): `to` is a TypeName."""

    arg_types: ClassVar = {"this": True, "to": True}


class TemporalLiteral(exp.Expression):
    """DATE '…', TIME '…', TIMESTAMP '…': `this` is the text, `kind` the word."""

    arg_types: ClassVar = {"this": True, "kind": True}


class IntervalLiteral(exp.Expression):
    """INTERVAL [-]'text' unit [(precision)] [TO unit]: `this` is the text (sign included), `unit` and `to` are
    words."""

    arg_types: ClassVar = {"this": True, "unit": True, "to": False}


class IntervalCast(exp.Expression):
    """(a - b) SECOND [TO unit]: the difference of two times as an interval in that unit."""

    arg_types: ClassVar = {"this": True, "unit": True, "to": False}


class StepBy(exp.Expression):
    """STEP(this BY step): `step` is an interval expression or a number."""

    arg_types: ClassVar = {"this": True, "step": True}


class FloorTo(exp.Expression):
    """FLOOR(this TO unit) and CEIL(this TO unit): `up` tells them apart."""

    arg_types: ClassVar = {"this": True, "unit": True, "up": False}


class TemporalPredicate(exp.Expression):
    """left OVERLAPS right and its like: `operator` in upper case ("OVERLAPS", "PRECEDES", "IMMEDIATELY PRECEDES",
    "CONTAINS",
    "EQUALS", "SUCCEEDS", "IMMEDIATELY SUCCEEDS"); periods are exp.Tuple of two expressions: start and end or
    length."""

    arg_types: ClassVar = {"left": True, "operator": True, "right": True}


class Frame(exp.Expression):
    """RANGE INTERVAL … PRECEDING, ROWS n PRECEDING, … UNBOUNDED PRECEDING: `kind` is "RANGE" or "ROWS", `preceding`
    an expression;
    None: unbounded."""

    arg_types: ClassVar = {"kind": True, "preceding": False}


class WindowDefinition(exp.Expression):
    """What stands in the parentheses after OVER, or after WINDOW name AS: `base` (Identifier), `partition` (list),
    `order` (list of
    exp.Ordered), `frame`. Used as exp.Window.args["over"]-like: OVER calls are OverCall."""

    arg_types: ClassVar = {"base": False, "partition": False, "order": False, "frame": False}


class OverCall(exp.Expression):
    """function OVER window: `this` exp.Anonymous, `over` an Identifier (a named window) or a WindowDefinition;
    `ignore_nulls` for LAG, FIRST_VALUE, LAST_VALUE, NTH_VALUE; `from_last` for NTH_VALUE(x, n) FROM LAST."""

    arg_types: ClassVar = {"this": True, "over": True, "ignore_nulls": False, "from_last": False}


class Cursor(exp.Expression):
    """CURSOR(SELECT STREAM …) as an argument of a table function: `this` is a query."""

    arg_types: ClassVar = {"this": True}


class Source(exp.Expression):
    """One thing in FROM: `this` is an exp.Table (name in `this`, schema in `db`), a query, or exp.Anonymous
    (TABLE(function(…)));
    `alias` Identifier, `columns` its column aliases (list of Identifier), `over` (Identifier or WindowDefinition) of
    a join."""

    arg_types: ClassVar = {"this": True, "alias": False, "columns": False, "over": False}


class JoinedSource(exp.Expression):
    """left kind JOIN right [ON on | USING (using)]: `kind` is "INNER", "LEFT", "RIGHT", "FULL" or "CROSS" (also of a
    comma)."""

    arg_types: ClassVar = {"left": True, "right": True, "kind": True, "on": False, "using": False}


class StaggerWindow(exp.Expression):
    """WINDOWED BY STAGGER (PARTITION BY partition RANGE age)."""

    arg_types: ClassVar = {"partition": False, "age": True}


class SessionWindow(exp.Expression):
    """WINDOWED BY SESSION (PARTITION BY partition [ON time] TIMEOUT gap): Millstream's own; `time`: an event-time
    expression."""

    arg_types: ClassVar = {"partition": False, "time": False, "gap": True}


class SelectStream(exp.Expression):
    """SELECT [STREAM] [DISTINCT] items FROM source WHERE … GROUP BY … [WINDOWED BY …] HAVING … WINDOW … ORDER BY … .

    `items`: expressions, exp.Alias, exp.Star, exp.Column of exp.Star (t.*); `source`: Source or JoinedSource;
    `group`: list; `windows`:
    dict of name (str) to WindowDefinition is kept as a list of exp.Alias(this=WindowDefinition, alias=Identifier);
    `order`: exp.Ordered."""

    arg_types: ClassVar = {
        "stream": False,
        "distinct": False,
        "items": True,
        "source": False,
        "where": False,
        "group": False,
        "windowed_by": False,
        "having": False,
        "windows": False,
        "order": False,
    }


class UnionAll(exp.Expression):
    """query UNION ALL query: `queries` is a list; `order` belongs to the whole."""

    arg_types: ClassVar = {"queries": True, "order": False}


class ColumnDefinition(exp.Expression):
    """name type [NOT NULL]: `this` Identifier, `kind` TypeName; only CREATE … AS SELECT may leave it out."""

    arg_types: ClassVar = {"this": True, "kind": False, "not_null": False}


class CreateStream(exp.Expression):
    """CREATE [OR REPLACE] STREAM this (columns) [DESCRIPTION text]: `query` of CREATE STREAM … AS SELECT (and of
    CREATE VIEW)."""

    arg_types: ClassVar = {"this": True, "columns": False, "replace": False, "description": False, "query": False}


class CreatePump(exp.Expression):
    """CREATE [OR REPLACE] PUMP this [STOPPED | STARTED] AS INSERT INTO target [(columns)] query. `stopped` as
    written."""

    arg_types: ClassVar = {"this": True, "replace": False, "stopped": False, "insert": True, "description": False}


class InsertInto(exp.Expression):
    """INSERT INTO target (Identifier) [(columns: list of Identifier)] query."""

    arg_types: ClassVar = {"target": True, "columns": False, "query": True}


class FunctionParameter(exp.Expression):
    """name type."""

    arg_types: ClassVar = {"this": True, "kind": True}


class CreateFunction(exp.Expression):
    """CREATE [OR REPLACE] FUNCTION this (parameters) RETURNS returns … RETURN body."""

    arg_types: ClassVar = {"this": True, "parameters": False, "returns": True, "body": True, "replace": False}


class AlterPump(exp.Expression):
    """ALTER PUMP names (list; empty: all) START | STOP: `start` tells them apart."""

    arg_types: ClassVar = {"names": False, "start": False}


class Drop(exp.Expression):
    """DROP kind ("STREAM", "PUMP", "FUNCTION", "VIEW") this."""

    arg_types: ClassVar = {"kind": True, "this": True, "if_exists": False}


class Explain(exp.Expression):
    """EXPLAIN [PLAN FOR] statement."""

    arg_types: ClassVar = {"this": True}
