"""What every part of planning a query needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from sqlglot import exp

from millstream.analytics.plan.environment import Environment
from millstream.analytics.plan.problems import problem
from millstream.analytics.plan.relational import Selected
from millstream.analytics.plan.scalars import Calls, NoCalls, Translator
from millstream.analytics.plan.scopes import Scope

_RELATIONS_MAX = 250
"""Views of views grow without bound; this is more than anybody joins."""


_DEPTH_MAX = 32
"""Queries within queries, views counted."""


@dataclass
class Counter:
    """Relations of one statement's plan so far."""

    count: int = 0


@dataclass(frozen=True)
class Context:
    """`query` plans a query within the query at hand (queries.plan_query: passed on, for they need each other)."""

    environment: Environment
    query: Callable[[exp.Expression, Context], Selected]
    relations: Counter = field(default_factory=Counter)
    depth: int = 0

    def nested(self, query: exp.Expression, environment: Environment | None = None) -> Selected:
        """A query in FROM or CURSOR; `environment`: what names mean to it, if something else."""
        if self.depth >= _DEPTH_MAX:
            hint = "insert the inner ones into a stream first"
            raise problem(query, f"Queries are nested more than {_DEPTH_MAX} levels deep", hint)
        return self.query(query, replace(self, environment=environment or self.environment, depth=self.depth + 1))

    def anonymous(self) -> str:
        """A name for a relation that has none; no alias can be like it."""
        return f"${self.relations.count}"

    def count_relation(self, node: exp.Expression) -> None:
        """Called for each. Raises SqlError when a plan gets out of hand."""
        self.relations.count += 1
        if self.relations.count > _RELATIONS_MAX:
            raise problem(
                node, f"This query reads more than {_RELATIONS_MAX} streams", "insert parts into streams first"
            )

    def translator(self, scope: Scope, calls: Calls | str) -> Translator:
        """`calls`: what becomes of aggregates and their like, or the name of a clause that has none."""
        return Translator(self.environment, scope, NoCalls(calls) if isinstance(calls, str) else calls)
