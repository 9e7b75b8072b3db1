"""A query's operators: FROM, WHERE, GROUP BY, HAVING, OVER, the items, DISTINCT, ORDER BY, in this order; UNION ALL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from millstream.analytics.language.nodes import SelectStream, UnionAll
from millstream.analytics.plan.calls import MonotonicOnly, SelectCalls
from millstream.analytics.plan.context import Context
from millstream.analytics.plan.environment import ROWTIME
from millstream.analytics.plan.grouping import Grouping, plan_grouping
from millstream.analytics.plan.joins import absorb, plan_from
from millstream.analytics.plan.nodes import Filter, Item, Monotonic, Over, Union
from millstream.analytics.plan.ordering import Order, plan_distinct, plan_order
from millstream.analytics.plan.problems import place_of, placed, problem
from millstream.analytics.plan.relational import Rows, Selected, project, reference, unique
from millstream.analytics.plan.scalars import Calls, Translator
from millstream.analytics.plan.scopes import Field, Relation, Scope
from millstream.analytics.plan.trees import ROW_TIME, conjunction, conjuncts
from millstream.analytics.plan.windows import Windows
from millstream.analytics.scalars import signatures
from millstream.analytics.scalars.nodes import Scalar
from millstream.analytics.scalars.types import Kind


def plan_query(query: exp.Expression, context: Context) -> Selected:
    """A SELECT or UNION ALL. Raises SqlError."""
    inner = query.unnest()
    if isinstance(inner, UnionAll):
        return _Union(context, inner).plan()
    if isinstance(inner, SelectStream):
        return _Select(context, inner).plan()
    raise problem(query, "A query is a SELECT", "write SELECT STREAM … FROM …")


class _Select:
    """One SELECT in the making."""

    def __init__(self, context: Context, select: SelectStream) -> None:
        if select.args.get("source") is None:
            raise problem(select, "A SELECT needs FROM", "write SELECT STREAM … FROM a_stream")
        self._context = context
        self._select = select
        self._windows = Windows(list(select.args.get("windows") or []))
        side, self._rows = plan_from(context, select.args["source"], self._windows)
        aliases = frozenset(str(one.alias) for one in select.args["items"] if isinstance(one, exp.Alias))
        self._scope = Scope(side.relations, self._rows.times, side.merged, aliases)

    def plan(self) -> Selected:
        """The whole of it."""
        self._where()
        grouping = self._grouping()
        calls = SelectCalls(self._context, self._scope, self._windows, grouping)
        items = self._items(calls, grouping)
        having = self._having(calls, grouping)
        orders = self._orders(calls, items)
        self._check_items(items)
        for value in calls.monotonic_values:
            self._rows = self._rows.on(Monotonic(self._rows.node, value))
        if grouping is not None:
            self._rows = grouping.rows(self._rows)
        if having is not None:
            self._rows = self._rows.on(Filter(self._rows.node, having))
        if calls.over_calls:
            self._rows = self._rows.on(Over(self._rows.node, tuple(calls.over_calls)))
        rows = self._finish(items, orders)
        return Selected(rows, rows.node.columns)

    def _translator(self, calls: Calls) -> Translator:
        return self._context.translator(self._scope, calls)

    def _where(self) -> None:
        where = self._select.args.get("where")
        if where is None:
            return
        calls = MonotonicOnly("WHERE")
        predicate = self._translator(calls).predicate(where, "WHERE")
        node, rest = absorb(self._rows.node, conjuncts(predicate))
        for value in calls.monotonic_values:
            node = Monotonic(node, value)
        left = conjunction(rest)
        self._rows = self._rows.on(Filter(node, left) if left is not None else node)

    def _grouping(self) -> Grouping | None:
        calls = MonotonicOnly("GROUP BY")
        grouping = plan_grouping(self._select, self._translator(calls), self._rows)
        for value in calls.monotonic_values:
            self._rows = self._rows.on(Monotonic(self._rows.node, value))
        return grouping

    def _items(self, calls: SelectCalls, grouping: Grouping | None) -> list[Item]:
        translator = self._translator(calls)
        named: list[tuple[str, Scalar]] = []
        for node in self._select.args["items"]:
            if _is_star(node):
                if grouping is not None:
                    raise problem(node, "* cannot be used with GROUP BY", "name the keys and the aggregates")
                named += [(one.name, one.value._replace(span=place_of(node))) for one in self._scope.expand(node)]
            else:
                value = node.this if isinstance(node, exp.Alias) else node
                named.append((_name(node, len(named)), calls.finished(translator.scalar(value))))
        names = unique(name for name, _ in named)
        return [Item(name, value) for name, (_, value) in zip(names, named, strict=True)]

    def _check_items(self, items: list[Item]) -> None:
        for item in items:
            if item.value.type.kind == Kind.RECORD and self._select.args.get("distinct"):
                raise problem(self._select, "DISTINCT cannot compare records", "select their fields")

    def _having(self, calls: SelectCalls, grouping: Grouping | None) -> Scalar | None:
        having = self._select.args.get("having")
        if having is None:
            return None
        if grouping is None:
            raise problem(having, "HAVING needs GROUP BY", "conditions on rows stand in WHERE")
        over = len(calls.over_calls)
        predicate = calls.finished(self._translator(calls).predicate(having, "HAVING"))
        if len(calls.over_calls) > over:
            raise problem(having, "A function OVER a window cannot be used in HAVING", "compute it in a subquery")
        return predicate

    def _orders(self, calls: SelectCalls, items: list[Item]) -> list[Order]:
        distinct = bool(self._select.args.get("distinct"))
        orders = []
        for node in self._select.args.get("order") or []:
            item = _item_of(node.this, items)
            if item is None and distinct:
                raise problem(node, "With DISTINCT, ORDER BY can only use what is selected", "add it to the SELECT")
            value = (
                item.value
                if item is not None
                else calls.finished(self._translator(calls).scalar(node.this), rowtime=True)
            )
            orders.append(Order(node, value))
        return orders

    def _finish(self, items: list[Item], orders: list[Order]) -> Rows:
        if not self._select.args.get("distinct"):
            return plan_order(self._rows, items, orders, distinct=False) if orders else project(self._rows, items)
        rows = plan_distinct(self._rows, items, self._select)
        if not orders:
            return rows
        columns = {item.value: reference(column) for item, column in zip(items, rows.node.columns, strict=True)}
        over_columns = [order._replace(value=columns[order.value]) for order in orders]
        return plan_order(rows, items, over_columns, distinct=True)


def _is_star(node: exp.Expression) -> bool:
    return isinstance(node, exp.Star) or (isinstance(node, exp.Column) and isinstance(node.this, exp.Star))


def _name(node: exp.Expression, index: int) -> str:
    """The output name of a SELECT's item: its alias, its column's name, or EXPR$n, as Calcite has it."""
    if isinstance(node, exp.Alias):
        return str(node.alias)
    if isinstance(node, exp.Dot):
        return str(node.expression.name)
    return str(node.name) if isinstance(node, exp.Column) else f"EXPR${index}"


def _item_of(node: exp.Expression, items: Sequence[Item]) -> Item | None:
    """The item that ORDER BY means by its name or position."""
    if isinstance(node, exp.Literal) and not node.is_string:
        position = int(node.this) if str(node.this).isascii() and str(node.this).isdigit() and len(node.this) < 5 else 0
        if not 1 <= position <= len(items):
            raise problem(node, f"There is no item {node.this} to order by", f"items are 1 to {len(items)}")
        return items[position - 1]
    if isinstance(node, exp.Column) and node.args.get("table") is None:
        return next((item for item in items if item.name == node.name), None)
    return None


class _Union:
    """UNION ALL in the making."""

    def __init__(self, context: Context, union: UnionAll) -> None:
        self._context = context
        self._union = union

    def plan(self) -> Selected:
        """The queries' rows as one relation, named as the first, of types that fit all."""
        queries = list(self._union.args["queries"])
        selected = [self._context.nested(query) for query in queries]
        for query, one in zip(queries, selected, strict=True):
            if len(one.columns) != len(selected[0].columns):
                message = f"The queries of UNION ALL have {len(selected[0].columns)} and {len(one.columns)} columns"
                raise problem(query, message, "all of them need the same columns")
        inputs = self._with_common_types(queries, selected)
        times = dict(inputs[0].times)
        for rows in inputs[1:]:
            times = {name: value for name, value in times.items() if rows.times.get(name) == value}
        union = Rows(Union(tuple(rows.node for rows in inputs)), times)
        return self._ordered(Selected(union, union.node.columns))

    def _with_common_types(self, queries: list[exp.Expression], selected: list[Selected]) -> list[Rows]:
        types = []
        for columns in zip(*(one.columns for one in selected), strict=True):
            with placed(queries[-1]):
                types.append(signatures.common_type([column.type for column in columns]))
        names = [column.name for column in selected[0].columns]
        inputs = []
        for query, one in zip(queries, selected, strict=True):
            with placed(query):
                values = [signatures.cast(reference(column), to) for column, to in zip(one.columns, types, strict=True)]
            inputs.append(project(one.rows, [Item(name, value) for name, value in zip(names, values, strict=True)]))
        return inputs

    def _ordered(self, selected: Selected) -> Selected:
        nodes = self._union.args.get("order") or []
        if not nodes:
            return selected
        items = [Item(column.name, reference(column)) for column in selected.columns]
        fields = [Field(item.name, item.value) for item in items]
        scope = Scope((Relation("", (*fields, Field(ROWTIME, ROW_TIME, hidden=True))),))
        translator = self._context.translator(scope, "ORDER BY of UNION ALL")
        orders = [Order(node, self._order_value(translator, node, items)) for node in nodes]
        rows = plan_order(selected.rows, items, orders, distinct=False)
        return Selected(rows, rows.node.columns)

    def _order_value(self, translator: Translator, node: exp.Ordered, items: list[Item]) -> Scalar:
        item = _item_of(node.this, items)
        return item.value if item is not None else translator.scalar(node.this)
