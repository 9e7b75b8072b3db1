"""WHERE and SELECT."""

from __future__ import annotations

from millstream.analytics.operators.stateless import FilterOperator, ProjectOperator
from millstream.analytics.plan.nodes import Filter, Item, Project
from millstream.analytics.scalars.nodes import Call, Literal
from millstream.analytics.scalars.types import BOOLEAN, INTEGER, VARCHAR
from support.operatorruns import Table
from support.slidingruns import run_inputs, single

TABLE = Table(N=INTEGER, S=VARCHAR)
INVERSE = Call("/", (Literal(6, INTEGER), TABLE["N"]), INTEGER)
ROWS = single([5, 6, 7, 8], [(1, "a"), (None, "b"), (0, "c"), (3, "d")])


def test_only_rows_pass_for_which_the_predicate_is_true() -> None:
    node = Filter(TABLE.scan, Call(">", (TABLE["N"], Literal(0, INTEGER)), BOOLEAN))
    found = run_inputs(lambda: FilterOperator(node), [TABLE], ROWS, 8)
    assert found.rows == [(1, "a", 5, 1), (3, "d", 8, 7)]
    assert not found.failures


def test_a_predicate_that_cannot_be_computed_is_an_error_of_the_row() -> None:
    node = Filter(TABLE.scan, Call(">", (INVERSE, Literal(2, INTEGER)), BOOLEAN))
    found = run_inputs(lambda: FilterOperator(node), [TABLE], ROWS, 8)
    assert found.rows == [(1, "a", 5, 1)]
    assert [row[:2] for row, _ in found.failures] == [(0, "c")]


def test_a_select_gives_a_row_a_row_in_its_place() -> None:
    node = Project(TABLE.scan, (Item("I", INVERSE), Item("C", Literal("x", VARCHAR)), Item("S", TABLE["S"])))
    found = run_inputs(lambda: ProjectOperator(node), [TABLE], ROWS, 8)
    assert found.rows == [(6, "x", "a", 5, 1), (None, "x", "b", 6, 3), (2, "x", "d", 8, 7)]
    assert [row[:2] for row, _ in found.failures] == [(0, "c")]


def test_a_select_of_constants_alone() -> None:
    node = Project(TABLE.scan, (Item("C", Literal(7, INTEGER)),))
    assert run_inputs(lambda: ProjectOperator(node), [TABLE], ROWS, 8).rows == [
        (7, 5, 1), (7, 6, 3), (7, 7, 5), (7, 8, 7),
    ]  # fmt: skip
    assert run_inputs(lambda: ProjectOperator(node), [TABLE], [], 8).rows == []
