"""The operations of both APIs: a function each, grouped in modules by noun.

`FIRST` and `SECOND` are the APIs: which function serves an operation. A function gets the service, the context of the
call and the validated parameters. What both APIs do alike is one function; `first` and `second` have what differs,
which is shapes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from millstream.analytics.operations.first import OPERATIONS as FIRST
from millstream.analytics.operations.second import OPERATIONS as SECOND
from millstream.wire import Operation

if TYPE_CHECKING:
    from millstream.analytics.operations.table import Function
    from millstream.analytics.service import AnalyticsService


def first_of(service: AnalyticsService) -> dict[str, Operation]:
    """The API `kinesisanalytics` of `service`, bound to it."""
    return _bound(service, FIRST)


def second_of(service: AnalyticsService) -> dict[str, Operation]:
    """The API `kinesisanalyticsv2` of `service`, bound to it."""
    return _bound(service, SECOND)


def _bound(service: AnalyticsService, functions: Mapping[str, Function]) -> dict[str, Operation]:
    return {name: Operation(name, partial(function, service)) for name, function in functions.items()}


__all__ = ["FIRST", "SECOND", "first_of", "second_of"]
