"""What becomes of aggregates, functions OVER windows and MONOTONIC while the expressions of a SELECT are made."""

from __future__ import annotations

from sqlglot import exp

from millstream.analytics.language.nodes import OverCall
from millstream.analytics.plan.aggregates import SIGNATURES, Typed, typed
from millstream.analytics.plan.context import Context
from millstream.analytics.plan.grouping import NO_WINDOW, Grouping
from millstream.analytics.plan.nodes import Aggregate, OverAggregate
from millstream.analytics.plan.problems import problem
from millstream.analytics.plan.scalars import NoCalls
from millstream.analytics.plan.scopes import Scope
from millstream.analytics.plan.suggestions import did_you_mean, written
from millstream.analytics.plan.trees import bare, is_row_time
from millstream.analytics.plan.windows import Window, Windows, row_frame
from millstream.analytics.scalars.nodes import ColumnRef, Literal, Scalar


class MonotonicOnly(NoCalls):
    """Where MONOTONIC may stand, but nothing else: WHERE, GROUP BY."""

    def __init__(self, clause: str) -> None:
        super().__init__(clause)
        self.monotonic_values: list[Scalar] = []

    def monotonic(self, call: exp.Anonymous, value: Scalar) -> Scalar:  # noqa: ARG002 (the protocol's)
        """The value itself, once the rows below are gone."""
        self.monotonic_values.append(value)
        return value


class SelectCalls(MonotonicOnly):
    """In the items of a SELECT, HAVING and ORDER BY. Scalars made with this are over the input; `finished` makes them
    over what the SELECT's windows give."""

    def __init__(self, context: Context, scope: Scope, windows: Windows, grouping: Grouping | None) -> None:
        super().__init__("SELECT")
        self._context = context
        self._scope = scope
        self._windows = windows
        self._grouping = grouping
        self._in_over = False
        self.over_calls: list[OverAggregate] = []

    def finished(self, value: Scalar, *, rowtime: bool = False) -> Scalar:
        """Over the groups, if there are any."""
        if self._grouping is None:
            return value
        computed = {one.name for one in self._grouping.aggregates} | {one.name for one in self.over_calls}
        return self._grouping.finished(value, computed, rowtime=rowtime)

    def aggregate(self, call: exp.Anonymous) -> Scalar:
        """A column of the groups."""
        if self._grouping is None:
            hint = f"GROUP BY a step of time, or write {call.this}(…) OVER (ROWS 10 PRECEDING) for a sliding window"
            raise problem(call, f"{NO_WINDOW} ({call.this})", hint)
        translator = self._context.translator(self._scope, "an aggregate")
        found = typed(call, translator)
        name = f"agg{len(self._grouping.aggregates) + 1}"
        made = Aggregate(name, found.function, found.arguments, found.type, found.distinct)
        return self._grouping.aggregate(found.function, found.arguments, made)

    def over(self, call: OverCall) -> Scalar:
        """A column of the sliding windows."""
        function = call.this
        if self._in_over:
            raise problem(call, "A function OVER a window cannot be in another", "compute the inner one in a subquery")
        if not isinstance(function, exp.Anonymous) or str(function.this) not in SIGNATURES:
            name = str(function.this)
            hint = did_you_mean(name, SIGNATURES) or f"there are {', '.join(SIGNATURES)}"
            raise problem(call, f"There is no window function {written(name)}", hint)
        self._in_over = True
        made = self._over(call, function, self._windows.find(call.args["over"]))
        self._in_over = False
        return self._column(made)

    def monotonic(self, call: exp.Anonymous, value: Scalar) -> Scalar:
        """The value itself, once the rows below are gone."""
        if self._grouping is not None:
            if any(bare(key.value) == bare(value) for key in self._grouping.keys):
                return value  # GROUP BY has dropped the rows
            raise problem(call, "MONOTONIC stands in WHERE or GROUP BY of a query with groups")
        return super().monotonic(call, value)

    def _over(self, call: OverCall, function: exp.Anonymous, window: Window) -> OverAggregate:
        translator = self._context.translator(self._scope, self)
        for ordered in window.order:
            self._check_order(ordered, translator.scalar(ordered.this))
        partition = tuple(self.finished(translator.scalar(one)) for one in window.partition)
        found = typed(function, translator)
        if call.args.get("from_last"):
            found = self._from_last(call, found)
        arguments = tuple(self.finished(one) for one in found.arguments)
        return OverAggregate(
            f"over{len(self.over_calls) + 1}",
            found.function,
            arguments,
            found.type,
            partition,
            row_frame(window.frame),
            found.distinct,
            bool(call.args.get("ignore_nulls")),
        )

    def _from_last(self, call: OverCall, found: Typed) -> Typed:
        last = found.arguments[-1]
        if found.function != "NTH_VALUE" or not isinstance(last, Literal) or last.value != 1:
            hint = "count from the first row, or use LAG(x, n): the value n rows ago"
            raise problem(call, "FROM LAST is not supported but for NTH_VALUE(x, 1)", hint)
        return found._replace(function="LAST_VALUE", arguments=found.arguments[:1])

    def _check_order(self, ordered: exp.Ordered, value: Scalar) -> None:
        if not is_row_time(value) or ordered.args.get("desc"):
            hint = "windows go by ROWTIME: leave ORDER BY out, or write ORDER BY ROWTIME"
            raise problem(ordered, "A window of a stream has only one order, that of its rows' arrival", hint)

    def _column(self, made: OverAggregate) -> ColumnRef:
        wanted = _unnamed(made)
        for one in self.over_calls:
            if _unnamed(one) == wanted:
                return ColumnRef(one.name, one.type)
        self.over_calls.append(made)
        return ColumnRef(made.name, made.type)


def _unnamed(call: OverAggregate) -> OverAggregate:
    arguments = tuple(bare(one) for one in call.arguments)
    return call._replace(name="", arguments=arguments, partition=tuple(bare(one) for one in call.partition))
