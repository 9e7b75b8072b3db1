"""What callers are told when the log fails: the one place where its errors become faults."""

from __future__ import annotations

import logging

from millstream.base.errors import MillstreamError
from millstream.log import LogFull, LogStopped
from millstream.security import KeyUnknown
from millstream.wire.faults import Fault, InternalFailure, KMSNotFoundException

_log = logging.getLogger(__name__)

DISK_FULL = (
    "The disk of this server is full: nothing can be stored until space returns. "
    "Reads go on; retry, or shorten retention periods."
)
WRITES_STOPPED = "This stream takes no more records until the server is restarted, because a write to its disk failed."


def fault_of_append(error: MillstreamError) -> Fault:
    """The fault for an append that failed. Mostly InternalFailure, because every SDK retries that."""
    if isinstance(error, KeyUnknown):
        return KMSNotFoundException(str(error))
    if isinstance(error, LogFull):
        return InternalFailure(DISK_FULL)
    if isinstance(error, LogStopped):
        return InternalFailure(WRITES_STOPPED)
    _log.error("appending: %s", error)
    return InternalFailure("Records could not be stored on this server's disk. Please retry.")


def fault_of_read(error: MillstreamError, shard_id: str) -> Fault:
    """The fault for a read that failed; what is wrong with the disk is for the operator's log, not for the caller."""
    if isinstance(error, KeyUnknown):
        return KMSNotFoundException(str(error))
    _log.error("reading %s: %s", shard_id, error)
    return InternalFailure(f"Records of {shard_id} could not be read from this server's disk.")
