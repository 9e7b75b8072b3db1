"""Whether an application's program can be parsed, and planned over what its inputs and reference tables give it.

The planner is loaded when the first program is checked, and runs in a thread: a long program takes it a while.
"""

# ruff: noqa: PLC0415 - whoever has no applications shall not wait at each start for the parser

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

from millstream.analytics.faults import CodeValidationException, InvalidApplicationConfigurationException
from millstream.analytics.model import Application
from millstream.wire.faults import InvalidArgumentException

if TYPE_CHECKING:
    from millstream.analytics.plan.nodes import ProgramPlan

CODE_BYTES_MAX = 100 << 10


async def check_program(application: Application, *, needed: bool) -> None:
    """Raises CodeValidationException, its message a report with line and column; InvalidArgumentException for its size.

    Without an input the code is only parsed. Unless it is `needed` at once, it may also name a reference table that
    there is none of yet: the first API adds those when the application has been made, with its code.
    """
    size_bytes = len(application.code.encode("utf-8", "surrogatepass"))
    if size_bytes > CODE_BYTES_MAX:
        raise InvalidArgumentException(
            f"ApplicationCode has {size_bytes} bytes; an application can have {CODE_BYTES_MAX}."
        )
    finding = await asyncio.to_thread(_look, application, needed)
    if finding.report is not None:
        raise CodeValidationException(finding.report)
    if needed and finding.output is not None:
        raise InvalidArgumentException(finding.output)


async def check_startable(application: Application) -> None:
    """Raises InvalidApplicationConfigurationException unless there is all that a run needs."""
    if not application.inputs:
        raise InvalidApplicationConfigurationException(
            f"Application {application.name} has no input to read: add one with AddApplicationInput."
        )
    finding = await asyncio.to_thread(_look, application, True)
    if finding.report is not None:
        raise InvalidApplicationConfigurationException(f"The application's code cannot be run:\n{finding.report}")
    if finding.output is not None:
        raise InvalidApplicationConfigurationException(finding.output)


class _Finding(NamedTuple):
    """What is wrong: the report of a SqlError, or an output of a stream that there is not."""

    report: str | None = None
    output: str | None = None


def _look(application: Application, needed: bool) -> _Finding:
    from millstream.analytics.language.errors import SqlError
    from millstream.analytics.language.parser import parse_program

    try:
        parse_program(application.code)
        if not application.inputs or not (needed or _is_whole(application)):
            return _Finding()
        streams = _plan(application).streams
    except SqlError as error:
        return _Finding(report=error.report())
    return _Finding(output=_lost_output(application, streams))


def _lost_output(application: Application, streams: Collection[str]) -> str | None:
    for output in application.outputs:
        if output.name not in streams:
            return (
                f"Output {output.output_id} takes its rows from the in-application stream {output.name}, which the "
                f"application's code does not make. There are: {', '.join(sorted(streams))}."
            )
    return None


def _plan(application: Application) -> ProgramPlan:
    from millstream.analytics.programs import plan_of

    return plan_of(application.code, application.inputs, application.references)


def _is_whole(application: Application) -> bool:
    """Whether all that the code reads is there: what nobody makes may be the reference table that is still to come."""
    from sqlglot import exp

    from millstream.analytics.language.nodes import CreateStream
    from millstream.analytics.language.parser import parse_program
    from millstream.analytics.programs import catalog_of

    if application.references:
        return True
    catalog = catalog_of(application.inputs, ())
    statements = parse_program(application.code)
    made = {one.this.name for one in statements if isinstance(one, CreateStream)} | {"error_stream", "ERROR_STREAM"}
    read: set[str] = {table.name for statement in statements for table in statement.find_all(exp.Table)}
    return not read - made - catalog.sources.keys()
