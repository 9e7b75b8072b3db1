"""Whether what an application reads and writes is there."""

from __future__ import annotations

from millstream.analytics.model import Application, ResourceKind
from millstream.analytics.parts import check_arn
from millstream.analytics.ports import Resources


def check_resources(resources: Resources, after: Application, before: Application | None = None) -> None:
    """Raises InvalidArgumentException for a source or target of `after`, but not of `before`, that cannot be used."""
    known = _named(before) if before is not None else set()
    place = (after.account, after.region)
    for one in after.inputs:
        if (one.kind, one.arn) not in known:
            check_arn(one.kind, one.arn)
            resources.find_source(*place, one.kind, one.arn)
    for kind, arn in sorted(_targets(after) - known):
        check_arn(kind, arn)
        resources.check_target(*place, kind, arn)


def _named(application: Application) -> set[tuple[ResourceKind, str]]:
    return {(one.kind, one.arn) for one in application.inputs} | _targets(application)


def _targets(application: Application) -> set[tuple[ResourceKind, str]]:
    """What is called with records: outputs, and functions that process inputs."""
    processors = (one.processor_arn for one in application.inputs)
    functions = {(ResourceKind.FUNCTION, arn) for arn in processors if arn is not None}
    return {(one.kind, one.arn) for one in application.outputs} | functions
