"""Which pump feeds which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sqlglot import exp

from millstream.analytics.plan.environment import ERROR_STREAM
from millstream.analytics.plan.nodes import PlanNode, PumpPlan, Scan
from millstream.analytics.plan.problems import problem
from millstream.analytics.plan.suggestions import written
from millstream.analytics.plan.walking import walk_query


class Planned(Protocol):
    """A pump and its statement."""

    @property
    def plan(self) -> PumpPlan: ...

    @property
    def node(self) -> exp.Expression: ...


def streams_read(query: PlanNode) -> set[str]:
    """The streams that a query reads."""
    return {node.stream for _, node in walk_query("", query) if isinstance(node, Scan)}


def in_order(pumps: Sequence[Planned]) -> tuple[PumpPlan, ...]:
    """The pumps so that each comes after those that feed it, else as they were written. Raises SqlError for a circle.

    The error stream is fed by all pumps and does not count: those that read it see what went wrong before.
    """
    feeders = _feeders(pumps)
    waiting, done, ordered = list(pumps), set[str](), list[PumpPlan]()
    while waiting:
        ready = next((pump for pump in waiting if feeders[pump.plan.name] <= done), None)
        if ready is None:
            raise _circle(waiting, feeders)
        waiting.remove(ready)
        done.add(ready.plan.name)
        ordered.append(ready.plan)
    return tuple(ordered)


def _feeders(pumps: Sequence[Planned]) -> dict[str, set[str]]:
    into: dict[str, set[str]] = {}
    for pump in pumps:
        into.setdefault(pump.plan.target, set()).add(pump.plan.name)
    return {
        pump.plan.name: {
            feeder for stream in streams_read(pump.plan.query) - {ERROR_STREAM} for feeder in into.get(stream, ())
        }
        for pump in pumps
    }


def _circle(waiting: Sequence[Planned], feeders: dict[str, set[str]]) -> Exception:
    by_name = {pump.plan.name: pump for pump in waiting}
    path = [waiting[0].plan.name]
    while True:
        following = min(name for name in feeders[path[-1]] if name in by_name)
        if following in path:
            circle = path[path.index(following) :]
            break
        path.append(following)
    circle.reverse()
    pumps = " -> ".join(written(name) for name in [*circle, circle[0]])
    hint = "rows would go round for ever: insert into a stream that none of them reads"
    return problem(by_name[circle[0]].node, f"Pumps feed each other: {pumps}", hint)
