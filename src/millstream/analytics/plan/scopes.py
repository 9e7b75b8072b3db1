"""Which columns an expression can see, and what they are in the frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlglot import exp

from millstream.analytics.plan.environment import ERROR_STREAM, ROWTIME
from millstream.analytics.plan.problems import problem
from millstream.analytics.plan.suggestions import case_hint, did_you_mean, written
from millstream.analytics.plan.trees import ROW_TIME
from millstream.analytics.scalars.nodes import Scalar
from millstream.analytics.scalars.types import Kind


class Field(NamedTuple):
    """A column as SQL sees it; `hidden`: there by name, not part of `*`."""

    name: str
    value: Scalar
    hidden: bool = False


class Relation(NamedTuple):
    """Something in FROM: `name` is its alias. A table has no ROWTIME."""

    name: str
    fields: tuple[Field, ...]

    def named(self, name: str) -> Field | None:
        """The column of that name. One that is not hidden comes first."""
        found = [one for one in self.fields if one.name == name]
        return min(found, key=lambda one: one.hidden) if found else None


class Found(NamedTuple):
    """A resolved name; `rest`: a field of it, when it is a record and the name went on."""

    value: Scalar
    rest: str | None = None


@dataclass(frozen=True)
class Scope:
    """The relations of a FROM, in the order in which they are written.

    `times`: columns of the frame that follow from the row's ROWTIME alone, as expressions over it (trees.ROW_TIME).
    `merged`: columns of USING. `items`: names that the SELECT gives to its items, known only to tell that they
    cannot be used.
    """

    relations: tuple[Relation, ...] = ()
    times: Mapping[str, Scalar] = field(default_factory=dict)
    merged: tuple[Field, ...] = ()
    items: frozenset[str] = frozenset()

    def resolve(self, column: exp.Column) -> Found:
        """What a column stands for: NAME, ALIAS.NAME, RECORD.FIELD. Raises SqlError."""
        name, qualifier = column.this, column.args.get("table")
        if qualifier is None:
            return Found(self._unqualified(name))
        relation = self._relation(qualifier)
        if relation is not None:
            return Found(self._qualified(qualifier, name))
        if any(True for _ in self._all(qualifier.this)):
            return self._record(self._unqualified(qualifier), column)
        raise self._no_relation(qualifier)

    def expand(self, star: exp.Expression) -> list[Field]:
        """The columns of `*` or of `ALIAS.*`."""
        if isinstance(star, exp.Column) and star.args.get("table") is not None:
            relation = self._relation(star.args["table"])
            if relation is None:
                raise self._no_relation(star.args["table"])
            return [one for one in relation.fields if not one.hidden]
        rest = {one.name for one in self.merged}
        fields = [one for relation in self.relations for one in relation.fields if not one.hidden]
        return [*self.merged, *(one for one in fields if one.name not in rest)]

    def names(self) -> list[str]:
        """All names of columns."""
        return [one.name for relation in self.relations for one in relation.fields]

    def _relation(self, name: exp.Identifier) -> Relation | None:
        names = {name.this, ERROR_STREAM} if name.this == ERROR_STREAM.upper() else {name.this}
        return next((relation for relation in self.relations if relation.name in names), None)

    def _all(self, name: str) -> Iterator[tuple[Relation, Field]]:
        for relation in self.relations:
            found = relation.named(name)
            if found is not None:
                yield relation, found

    def _unqualified(self, name: exp.Identifier) -> Scalar:
        merged = next((one for one in self.merged if one.name == name.this), None)
        if merged is not None:
            return merged.value
        found = list(self._all(name.this))
        if not found:
            raise self._no_column(name, self.names(), "")
        if len(found) > 1 and name.this != ROWTIME:
            where = " and ".join(written(relation.name) for relation, _ in found)
            hint = f"say which: {written(found[0][0].name)}.{written(name.this)}"
            raise problem(name, f"Column {written(name.this)} is ambiguous: it is in {where}", hint)
        return found[0][1].value if len(found) == 1 else ROW_TIME

    def _qualified(self, qualifier: exp.Identifier, name: exp.Identifier) -> Scalar:
        relation = self._relation(qualifier)
        if relation is None:
            raise self._no_relation(qualifier)
        found = relation.named(name.this)
        if found is None:
            raise self._no_column(name, [one.name for one in relation.fields], f" in {written(relation.name)}")
        return found.value

    def _record(self, value: Scalar, column: exp.Column) -> Found:
        if value.type.kind != Kind.RECORD:
            raise problem(column.args["table"], f"Column {written(column.args['table'].this)} is not a record")
        return Found(value, column.name)

    def _no_relation(self, qualifier: exp.Identifier) -> Exception:
        names = [relation.name for relation in self.relations if relation.name]
        hint = case_hint(qualifier.this, bool(qualifier.args.get("quoted")), names)
        if not hint and names:
            hint = f"the names here are {', '.join(written(one) for one in names)}"
        return problem(qualifier, f"There is no {written(qualifier.this)} in FROM", hint)

    def _no_column(self, name: exp.Identifier, names: list[str], where: str) -> Exception:
        hint = case_hint(name.this, bool(name.args.get("quoted")), names)
        if not hint and name.this in self.items:
            hint = "names that SELECT gives cannot be used here: repeat the expression, or use a subquery"
        return problem(name, f"There is no column {written(name.this)}{where}", hint or did_you_mean(name.this, names))
