"""Operations of Millstream's own for SQL applications: how they go, and the rows of their in-application streams."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, NamedTuple, Protocol

from millstream.analytics.model import Application
from millstream.server.applications.channel import Progress, Rows
from millstream.wire import CallContext, Operation
from millstream.wire.faults import InvalidArgumentException, ResourceInUseException
from millstream.wire.operation import Result

ROWS = 100

Params = dict[str, Any]


class Handle(Protocol):
    """An application as the registry has it."""

    application: Application


class Applications(Protocol):
    """Finds applications."""

    def find(self, context: CallContext, name: str) -> Handle:
        """The application of that name in the caller's account and region. Raises ResourceNotFoundException."""
        ...


class Processes(Protocol):
    """Applications at work; see ApplicationRunner."""

    def progress(self, application_id: str) -> Progress | None:
        """How an application goes."""
        ...

    def process_id(self, application_id: str) -> int | None:
        """The process of an application."""
        ...

    async def tail(self, application_id: str, stream: str, after: int, rows_max: int) -> Rows | None:
        """Rows of an in-application stream."""
        ...


class Ports(NamedTuple):
    """What these operations work with."""

    applications: Applications
    processes: Processes


def operations_of(ports: Ports) -> dict[str, Operation]:
    """A part of the API `Service("millstream", …)`."""
    functions: dict[str, Callable[..., Result | Awaitable[Result]]] = {
        "DescribeApplicationProgress": describe_application_progress,
        "GetApplicationRows": get_application_rows,
    }
    return {name: Operation(name, partial(function, ports)) for name, function in functions.items()}


async def describe_application_progress(ports: Ports, context: CallContext, params: Params) -> dict[str, Any]:
    """How an application goes. What is counted is counted from the start of its process."""
    application = ports.applications.find(context, params["ApplicationName"]).application
    described: dict[str, Any] = {"ApplicationName": application.name, "ApplicationStatus": application.status}
    if application.failure is not None:
        described["Failure"] = application.failure
    process_id = ports.processes.process_id(application.application_id)
    progress = ports.processes.progress(application.application_id)
    if process_id is not None:
        described["ProcessId"] = process_id
    if progress is not None:
        described |= {
            "RowsIn": progress.rows_in,
            "RowsOut": progress.rows_out,
            "Errors": progress.errors,
            "BehindMs": progress.behind_ms,
            "BehindBytes": progress.behind_bytes,
            "StateBytes": progress.state_bytes,
            "MemoryBytes": progress.memory_bytes,
            "CheckpointTimestampMs": progress.checkpoint_ms,
            "Streams": progress.streams,
        }
    return described


async def get_application_rows(ports: Ports, context: CallContext, params: Params) -> dict[str, Any]:
    """Rows of an in-application stream. Some hundred are kept: who asks too seldom misses some."""
    application = ports.applications.find(context, params["ApplicationName"]).application
    after = params.get("After", -1)
    name = params["InAppStreamName"]
    rows = await ports.processes.tail(application.application_id, name, after, params.get("Limit", ROWS))
    if rows is None or not rows.streams:  # its process is not there, or has not read the program yet
        raise ResourceInUseException(_why_no_rows(application))
    if not rows.known:
        known = ", ".join(rows.streams) or "none"
        raise InvalidArgumentException(f"There is no in-application stream {name}; there are {known}.")
    return {"Rows": [row.decode() for row in rows.rows], "Next": rows.next, "Streams": rows.streams}


def _why_no_rows(application: Application) -> str:
    if application.is_wanted:
        return f"Application {application.name} is being started, or too busy to answer. Ask again."
    why = f": {application.failure}" if application.failure else ""
    return f"Application {application.name} is {application.status}{why}; it has to be RUNNING."
