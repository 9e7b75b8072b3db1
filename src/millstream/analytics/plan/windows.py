"""Windows of OVER: partitions and frames."""

from __future__ import annotations

from typing import NamedTuple

from sqlglot import exp

from millstream.analytics.language.nodes import Frame, WindowDefinition
from millstream.analytics.plan.environment import Environment
from millstream.analytics.plan.nodes import RowFrame
from millstream.analytics.plan.problems import problem
from millstream.analytics.plan.scalars import NoCalls, Translator
from millstream.analytics.plan.scopes import Scope
from millstream.analytics.plan.suggestions import name_hint, written
from millstream.analytics.scalars.nodes import Literal
from millstream.analytics.scalars.types import INTEGERS, Kind

_TIME_HINT = "write RANGE INTERVAL '10' SECOND PRECEDING"
_ROWS_HINT = "write ROWS 10 PRECEDING"


class Window(NamedTuple):
    """A window with all that it takes from the ones that it is based on."""

    partition: tuple[exp.Expression, ...] = ()
    order: tuple[exp.Ordered, ...] = ()
    frame: Frame | None = None


class Windows:
    """The WINDOW clause of a SELECT: named windows."""

    def __init__(self, definitions: list[exp.Expression]) -> None:
        self._definitions: dict[str, WindowDefinition] = {}
        for definition in definitions:
            name = definition.args["alias"]
            if name.this in self._definitions:
                raise problem(name, f"There are two windows {written(name.this)}")
            self._definitions[name.this] = definition.this

    def find(self, over: exp.Expression, seen: tuple[str, ...] = ()) -> Window:
        """The window that stands after OVER: a name or a definition. Raises SqlError."""
        if isinstance(over, WindowDefinition):
            return self._based(over, seen)
        name = str(over.this)
        definition = self._definitions.get(name)
        if definition is None:
            hint = name_hint(name, bool(over.args.get("quoted")), self._definitions)
            raise problem(over, f"There is no window {written(name)}", hint or f"add WINDOW {written(name)} AS (…)")
        if name in seen:
            raise problem(over, f"Window {written(name)} is based on itself")
        return self._based(definition, (*seen, name))

    def _based(self, definition: WindowDefinition, seen: tuple[str, ...]) -> Window:
        own = Window(
            tuple(definition.args.get("partition") or ()),
            tuple(definition.args.get("order") or ()),
            definition.args.get("frame"),
        )
        if definition.args.get("base") is None:
            return own
        base = self.find(definition.args["base"], seen)
        both = [
            word
            for word, mine, other in zip(("PARTITION BY", "ORDER BY", "frame"), own, base, strict=True)
            if mine and other
        ]
        if both:
            raise problem(
                definition.args["base"], f"Window {written(definition.args['base'].this)} has a {both[0]} already"
            )
        return Window(own.partition or base.partition, own.order or base.order, own.frame or base.frame)


def row_frame(frame: Frame | None) -> RowFrame:
    """Rows that a frame looks at; without one: all before. Raises SqlError."""
    if frame is None or frame.args.get("preceding") is None:
        return RowFrame()
    node = frame.args["preceding"]
    bound = Translator(Environment(), Scope(), NoCalls("a window")).scalar(node)
    is_range = frame.args["kind"] == "RANGE"
    if not isinstance(bound, Literal) or not isinstance(bound.value, int) or isinstance(bound.value, bool):
        raise problem(node, "The size of a window is a constant", _TIME_HINT if is_range else _ROWS_HINT)
    if bound.value < 0:
        raise problem(node, "A window cannot have a negative size")
    if not is_range:
        if bound.type.kind not in INTEGERS:
            raise problem(node, "ROWS takes a number of rows", f"{_ROWS_HINT}, or RANGE INTERVAL")
        return RowFrame(rows=bound.value)
    if bound.type.kind != Kind.INTERVAL_DAY and bound.value:
        months = bound.type.kind == Kind.INTERVAL_YEAR
        message = "A window's RANGE is in days or less" if months else "RANGE takes an interval"
        raise problem(node, message, f"{_TIME_HINT}, or ROWS")
    return RowFrame(range_ms=bound.value)
