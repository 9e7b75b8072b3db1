"""The operators of a plan, each with a name that stays."""

from __future__ import annotations

from collections.abc import Iterator

from millstream.analytics.plan.nodes import PlanNode, ProgramPlan, Scan, Union, WindowJoin


def inputs_of(node: PlanNode) -> tuple[PlanNode, ...]:
    """The nodes that give a node its rows."""
    if isinstance(node, Scan):
        return ()
    if isinstance(node, WindowJoin):
        return (node.left, node.right)
    return node.inputs if isinstance(node, Union) else (node.input,)


def walk(plan: ProgramPlan) -> Iterator[tuple[str, PlanNode]]:
    """All operators, those of a pump from its end to its scans, under names that are the same for the same program.

    A name is the operator's place in the tree of its pump, and the pump: "0.1@STREAM_PUMP" is the second input of the
    pump's last operator but one. That of a SELECT that is no pump's ends in "@".
    """
    for pump in plan.pumps:
        yield from walk_query(pump.name, pump.query)
    if plan.query is not None:
        yield from walk_query("", plan.query)


def walk_query(pump: str, query: PlanNode) -> Iterator[tuple[str, PlanNode]]:
    """The operators of one pump."""
    pending: list[tuple[str, PlanNode]] = [("0", query)]
    while pending:
        place, node = pending.pop()
        yield f"{place}@{pump}", node
        children = [(f"{place}.{index}", child) for index, child in enumerate(inputs_of(node))]
        pending += reversed(children)
