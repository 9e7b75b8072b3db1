"""Metric filters: only what can be had without metrics, which is to try a filter pattern."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from millstream.logs.faults import InvalidParameterException
from millstream.logs.patterns import PatternError, compile_pattern
from millstream.wire.context import CallContext

if TYPE_CHECKING:
    from millstream.logs.service import LogsService


def test_metric_filter(service: LogsService, context: CallContext, params: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    """The messages that the pattern matches, with what it takes out of them. Events are numbered from 1."""
    try:
        pattern = compile_pattern(params["filterPattern"])
    except PatternError as error:
        raise InvalidParameterException(f"Invalid filter pattern: {error}") from error
    matches = [
        {"eventNumber": number, "eventMessage": message, "extractedValues": pattern.values(message)}
        for number, message in enumerate(params["logEventMessages"], start=1)
        if pattern.match(message) is not None
    ]
    return {"matches": matches}
