"""What of the second API only Apache Flink applications have: refused, with what to do instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from millstream.analytics.descriptions import RUNTIME
from millstream.wire.context import CallContext
from millstream.wire.faults import InvalidArgumentException, UnsupportedOperationException

if TYPE_CHECKING:
    from millstream.analytics.operations.table import Function
    from millstream.analytics.service import AnalyticsService

Params = Mapping[str, Any]

_SNAPSHOTS = (
    "SQL applications have no snapshots: their state is kept by itself, and goes on after StartApplication with "
    "InputStartingPosition LAST_STOPPED_POINT."
)
_VERSIONS = (
    "SQL applications are not rolled back: take the former code from DescribeApplicationVersion and give it to "
    "UpdateApplication."
)
_RECORDED = "Operations of SQL applications are not recorded: DescribeApplication tells the status."
_VPC = "SQL applications run where the server runs: they need no VPC configuration."
_MAINTENANCE = "SQL applications have no maintenance window: they go on by themselves after a restart of the server."
_URL = "SQL applications have no dashboard of Flink's or Zeppelin's."

_REFUSALS = {
    "AddApplicationVpcConfiguration": _VPC,
    "DeleteApplicationVpcConfiguration": _VPC,
    "CreateApplicationPresignedUrl": _URL,
    "CreateApplicationSnapshot": _SNAPSHOTS,
    "CreateSnapshot": _SNAPSHOTS,
    "DeleteApplicationSnapshot": _SNAPSHOTS,
    "DeleteSnapshot": _SNAPSHOTS,
    "DescribeApplicationSnapshot": _SNAPSHOTS,
    "DescribeSnapshot": _SNAPSHOTS,
    "DescribeSnapshotOperation": _SNAPSHOTS,
    "ExportSnapshot": _SNAPSHOTS,
    "ImportSnapshot": _SNAPSHOTS,
    "ListApplicationSnapshots": _SNAPSHOTS,
    "ListSnapshotOperations": _SNAPSHOTS,
    "ListSnapshots": _SNAPSHOTS,
    "DescribeApplicationOperation": _RECORDED,
    "ListApplicationOperations": _RECORDED,
    "RollbackApplication": _VERSIONS,
    "UpdateApplicationMaintenanceConfiguration": _MAINTENANCE,
}


def check_runtime(runtime: str, mode: str | None = None) -> None:
    """Raises UnsupportedOperationException for any but SQL applications."""
    if runtime != RUNTIME:
        raise UnsupportedOperationException(
            f"RuntimeEnvironment {runtime} is not supported: applications here are of {RUNTIME}."
        )
    if mode == "INTERACTIVE":
        raise UnsupportedOperationException(
            f"ApplicationMode INTERACTIVE is for Zeppelin notebooks; an application of {RUNTIME} is STREAMING."
        )


def check_only_sql(given: Params, *served: str) -> None:
    """Raises InvalidArgumentException for members of a configuration that are not of SQL applications."""
    others = sorted(given.keys() - set(served))
    if others:
        there = f" It takes {' and '.join(served)}." if served else ""
        raise InvalidArgumentException(f"{', '.join(others)} cannot be given for an application of {RUNTIME}.{there}")


def check_plain_text(content_type: str | None, content: Params) -> None:
    """Raises InvalidArgumentException unless code is given, if at all, as text."""
    others = sorted(name for name in content if not name.startswith("TextContent"))
    if content_type == "ZIPFILE" or others:
        raise InvalidArgumentException(
            f"The code of an application of {RUNTIME} is given as TextContent, with the type PLAINTEXT"
            f"{f', not as {others[0]}' if others else ''}."
        )


def _refusing(name: str, reason: str) -> Function:
    def operation(_service: AnalyticsService, _context: CallContext, _params: Params) -> None:
        raise UnsupportedOperationException(f"{name} is not supported. {reason}")

    return operation


OPERATIONS: dict[str, Function] = {name: _refusing(name, reason) for name, reason in _REFUSALS.items()}
"""Operations that are answered with UnsupportedOperationException."""
