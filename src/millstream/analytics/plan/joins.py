"""FROM: sources and their joins.

Two streams become a WindowJoin, a stream and a reference table a ReferenceJoin. Joins nest to the left as they are
written. Streams without any OVER meet when their ROWTIMEs are equal; rows that several joins bring together must all
be in their windows when the last of them comes. Equalities between the sides are told apart from the rest of a
condition, and an inner join takes those that stand in WHERE, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from sqlglot import exp

from millstream.analytics.language.nodes import JoinedSource
from millstream.analytics.plan.context import Context
from millstream.analytics.plan.environment import ROWTIME
from millstream.analytics.plan.nodes import PlanNode, ReferenceJoin, RowFrame, WindowJoin
from millstream.analytics.plan.problems import problem
from millstream.analytics.plan.relational import Rows
from millstream.analytics.plan.scopes import Field, Scope
from millstream.analytics.plan.sources import Side, Span, Table, plan_source, rowtime_of
from millstream.analytics.plan.suggestions import written
from millstream.analytics.plan.trees import columns_of, conjunction, conjuncts, earlier, has_row_time
from millstream.analytics.plan.windows import Windows
from millstream.analytics.scalars import signatures
from millstream.analytics.scalars.nodes import Call, Scalar
from millstream.analytics.scalars.types import NUMBERS

_CURRENT = RowFrame(range_ms=0)


class Condition(NamedTuple):
    """When rows of two sides belong together: pairs of equal values (left, right), and the rest."""

    equal: tuple[tuple[Scalar, Scalar], ...]
    residual: Scalar | None
    merged: tuple[Field, ...] = ()


def plan_from(context: Context, node: exp.Expression, windows: Windows) -> tuple[Side, Rows]:
    """The whole FROM. Raises SqlError."""
    side = _plan(context, node, windows)
    if side.rows is None:
        name = written(side.relations[0].name)
        raise problem(node, f"{name} is a reference table", f"join a stream with it: FROM a_stream JOIN {name} ON …")
    if side.frame is not None and not isinstance(node, JoinedSource):
        raise problem(node, "OVER in FROM belongs to joins", "for sliding windows write function(…) OVER (…)")
    return side, side.rows


def _plan(context: Context, node: exp.Expression, windows: Windows) -> Side:
    if not isinstance(node, JoinedSource):
        return plan_source(context, node, windows)  # type: ignore[arg-type]
    join = _Join(context, node, _plan(context, node.args["left"], windows), _plan(context, node.args["right"], windows))
    return join.plan()


@dataclass(frozen=True)
class _Join:
    context: Context
    node: JoinedSource
    left: Side
    right: Side

    def plan(self) -> Side:
        self._check_names()
        kind = str(self.node.args["kind"]).upper()
        left, right = self.left, self.right
        if left.rows is not None and right.rows is not None:
            return self._streams("INNER" if kind == "CROSS" else kind, left.rows, right.rows)
        if left.rows is not None and right.table is not None:
            return self._reference(kind, left.rows, right.table, "LEFT")
        if right.rows is not None and left.table is not None:
            return self._reference(kind, right.rows, left.table, "RIGHT")
        raise problem(self.node, "Two reference tables cannot be joined", "join a stream with one, then with the other")

    def _check_names(self) -> None:
        names = {relation.name for relation in self.left.relations}
        for relation in self.right.relations:
            if relation.name in names:
                hint = "give them names of their own with AS"
                raise problem(self.node.args["right"], f"{written(relation.name)} is there twice in FROM", hint)

    def _streams(self, kind: str, left: Rows, right: Rows) -> Side:
        columns = {column.name for column in left.node.columns}, {column.name for column in right.node.columns}
        condition = self._condition(kind, *columns)
        given = conjuncts(condition.residual) if condition.residual is not None else []
        residual = conjunction([*given, *self._still_there()])
        node = WindowJoin(left.node, right.node, kind, *self._frames(), condition.equal, residual)
        times = {
            name: value
            for side, rows in ((self.left, left), (self.right, right))
            for name, value in rows.times.items()
            if side.frame is None or name.partition(".")[2] == ROWTIME
        }
        spans = self.left.spans + self.right.spans if self.left.spans and self.right.spans else ()
        return self._joined(Rows(node, times), condition, spans)

    def _frames(self) -> tuple[RowFrame | None, RowFrame | None]:
        """What each side remembers. Without any window rows of the same ROWTIME meet: both are current."""
        left, right = _frame(self.left), _frame(self.right)
        return (_CURRENT, _CURRENT) if left is None and right is None else (left, right)

    def _still_there(self) -> list[Scalar]:
        """That rows which were joined before have not left their windows when a row of the other side comes."""
        sides = ((self.left, self.right), (self.right, self.left))
        return [
            _within(span, rowtime)
            for joined, other in sides
            if len(joined.spans) > 1
            for span in joined.spans
            for rowtime in map(rowtime_of, other.relations)
            if rowtime is not None
        ]

    def _reference(self, kind: str, stream: Rows, table: Table, keeping: str) -> Side:
        """`keeping`: the kind of outer join that keeps the stream's rows."""
        if kind not in ("INNER", "CROSS", keeping):
            hint = f"only the stream's rows can be kept: write {keeping} JOIN, or put the stream on the other side"
            raise problem(self.node, f"A {kind} JOIN cannot keep the rows of a reference table", hint)
        columns = {column.name for column in stream.node.columns}, {column.name for column in table.columns}
        condition = self._condition(kind, *(columns if keeping == "LEFT" else columns[::-1]))
        equal = condition.equal if keeping == "LEFT" else tuple((b, a) for a, b in condition.equal)
        outer = "LEFT" if kind == keeping else "INNER"
        node = ReferenceJoin(stream.node, table.name, table.columns, outer, equal, condition.residual)
        return self._joined(stream.on(node), condition, self.left.spans + self.right.spans)

    def _joined(self, rows: Rows, condition: Condition, spans: tuple[Span, ...]) -> Side:
        merged = (*condition.merged, *self.left.merged, *self.right.merged)
        return Side((*self.left.relations, *self.right.relations), rows, merged=merged, spans=spans)

    def _condition(self, kind: str, left: set[str], right: set[str]) -> Condition:
        if self.node.args.get("using"):
            return self._using(kind)
        if self.node.args.get("on") is None:
            if kind in ("LEFT", "RIGHT", "FULL"):
                raise problem(self.node, f"A {kind} JOIN needs a condition", "add ON …")
            return Condition((), None)
        on = self.context.translator(self._scope(), "ON").predicate(self.node.args["on"], "ON")
        if has_row_time(on):
            hint = f"say which: {written(self.left.relations[0].name)}.ROWTIME"
            raise problem(self.node.args["on"], "ROWTIME is ambiguous in ON: both sides have one", hint)
        equal, rest = split(conjuncts(on), left, right)
        return Condition(equal, conjunction(rest))

    def _scope(self) -> Scope:
        return Scope((*self.left.relations, *self.right.relations), merged=(*self.left.merged, *self.right.merged))

    def _using(self, kind: str) -> Condition:
        equal, merged = [], []
        for name in self.node.args["using"]:
            left = self._side_scope(self.left).resolve(_column(name)).value
            right = self._side_scope(self.right).resolve(_column(name)).value
            comparison = self.context.translator(Scope(), "USING").call(name, "=", (left, right))
            assert isinstance(comparison, Call)
            equal.append(_alike(*comparison.arguments))
            merged.append(Field(str(name.this), self._either(name, kind, left, right)))
        return Condition(tuple(equal), None, tuple(merged))

    def _side_scope(self, side: Side) -> Scope:
        return Scope(side.relations, merged=side.merged)

    def _either(self, name: exp.Expression, kind: str, left: Scalar, right: Scalar) -> Scalar:
        """The value of the common column: that of the side whose rows are kept."""
        if kind in ("RIGHT", "FULL"):
            return self.context.translator(Scope(), "USING").call(name, "COALESCE", (left, right))
        return left


def _frame(side: Side) -> RowFrame | None:
    """A side's OVER; of joined streams the longest, what is older is looked at when they are joined."""
    return RowFrame(range_ms=max(span.range_ms for span in side.spans)) if side.spans else side.frame


def _within(span: Span, rowtime: Scalar) -> Scalar:
    """That a row has been there for no longer than its span at a later time; true of rows that an outer join lacks."""
    held = signatures.call("<=", (earlier(rowtime, span.range_ms), span.rowtime))
    return signatures.call("IS NOT FALSE", (held,))


def _column(name: exp.Identifier) -> exp.Column:
    column = exp.Column(this=name.copy())
    column.meta.update(name.meta)
    return column


def split(
    predicates: Iterable[Scalar], left: set[str], right: set[str]
) -> tuple[tuple[tuple[Scalar, Scalar], ...], list[Scalar]]:
    """Equalities of a value over `left` columns and one over `right` columns; and the other predicates."""
    equal, rest = [], []
    for predicate in predicates:
        pair = _pair(predicate, left, right)
        if pair is None:
            rest.append(predicate)
        else:
            equal.append(pair)
    return tuple(equal), rest


def _pair(predicate: Scalar, left: set[str], right: set[str]) -> tuple[Scalar, Scalar] | None:
    if not isinstance(predicate, Call) or predicate.function != "=":
        return None
    if has_row_time(predicate):
        return None
    a, b = _alike(*predicate.arguments)
    a_columns, b_columns = columns_of(a), columns_of(b)
    if not a_columns or not b_columns:
        return None
    if a_columns <= left and b_columns <= right:
        return a, b
    return (b, a) if a_columns <= right and b_columns <= left else None


def _alike(a: Scalar, b: Scalar) -> tuple[Scalar, Scalar]:
    """Numbers of one type, so that equal ones are the same value."""
    if a.type == b.type or not {a.type.kind, b.type.kind} <= NUMBERS:
        return a, b
    common = signatures.common_type((a.type, b.type))
    return signatures.cast(a, common), signatures.cast(b, common)


def absorb(node: PlanNode, predicates: list[Scalar]) -> tuple[PlanNode, list[Scalar]]:
    """Gives equalities of a WHERE to the inner joins whose sides they compare; and the predicates that are left."""
    if isinstance(node, WindowJoin) and node.kind == "INNER":
        inputs, right = node.left, {column.name for column in node.right.columns}
    elif isinstance(node, ReferenceJoin) and node.kind == "INNER":
        inputs, right = node.input, {column.name for column in node.table_columns}
    else:
        return node, predicates
    left = {column.name for column in inputs.columns}
    equal, rest = split(predicates, left, right)
    below = [one for one in rest if _pair(one, left, left) is not None]
    inputs, unused = absorb(inputs, below)
    rest = [one for one in rest if one not in below or one in unused]
    if isinstance(node, WindowJoin):
        return replace(node, left=inputs, equal=node.equal + equal), rest
    return replace(node, input=inputs, equal=node.equal + equal), rest
