"""The faults of CloudWatch Logs. Texts are AWS's where they are known."""

from __future__ import annotations

import logging

from millstream.base.errors import MillstreamError
from millstream.log import LogFull, LogStopped
from millstream.wire.faults import Fault, ResourceNotFoundException

_log = logging.getLogger(__name__)

DISK_FULL = (
    "The disk of this server is full: no log events can be stored until space returns. "
    "Reads go on; retry, or shorten retention periods."
)
WRITES_STOPPED = (
    "This log group takes no more events until the server is restarted, because a write to its disk failed."
)


class InvalidParameterException(Fault):
    """A parameter is not what it may be; also what other services call a ValidationException."""


class ResourceAlreadyExistsException(Fault):
    """There is a log group or a log stream of that name."""


class OperationAbortedException(Fault):
    """Several requests to change one resource met."""


class ServiceUnavailableException(Fault):
    """The service cannot do this now; SDKs retry it."""

    status = 503


class TooManyTagsException(Fault):
    """A resource would have too many tags."""


def no_group() -> ResourceNotFoundException:
    """The fault for a log group that is not there."""
    return ResourceNotFoundException("The specified log group does not exist.")


def no_stream() -> ResourceNotFoundException:
    """The fault for a log stream that is not there."""
    return ResourceNotFoundException("The specified log stream does not exist.")


def fault_of(error: MillstreamError, doing: str) -> Fault:
    """The fault for a log that failed while `doing` something; always one that SDKs retry."""
    if isinstance(error, LogFull):
        return ServiceUnavailableException(DISK_FULL)
    if isinstance(error, LogStopped):
        return ServiceUnavailableException(WRITES_STOPPED)
    _log.error("%s: %s", doing, error)
    return ServiceUnavailableException("The log events of this group cannot be had from this server's disk now.")
