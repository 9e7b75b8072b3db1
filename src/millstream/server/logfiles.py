"""What log groups need of the rest of the server: their files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from millstream.base.clock import Clock
from millstream.base.units import KIB, MIB
from millstream.disk import Disk
from millstream.log import EmbeddedLog, LogFollower, RecordLog

GROUPS = "logs"
"""The directory with one directory for each log group."""

_SEGMENT_BYTES = 64 * MIB  # what has expired goes by segments
_BLOCK_BYTES = 256 * KIB  # of a large put: less to read for a small page


class LogFiles:
    """The files of log groups on the server's disk; see logs.lending.Files."""

    def __init__(self, disk: Disk, commits: ThreadPoolExecutor, clock: Clock) -> None:
        self._disk = disk
        self._commits = commits
        self._clock = clock

    def open_log(self, group_id: str) -> RecordLog:
        """Open, or make, the group's log."""
        return EmbeddedLog.open(
            self._disk,
            _directory(group_id),
            executor=self._commits,
            clock=self._clock,
            segment_bytes=_SEGMENT_BYTES,
            block_bytes=_BLOCK_BYTES,
        )

    def follower(self, group_id: str) -> LogFollower:
        """Who reads the group's log from front to back."""
        return LogFollower(self._disk, _directory(group_id))

    def delete(self, group_id: str) -> None:
        """Delete the group's directory."""
        self._disk.remove_tree(_directory(group_id))

    def group_ids(self) -> list[str]:
        """The ids of which there is a directory."""
        return self._disk.list(GROUPS)


def _directory(group_id: str) -> str:
    return f"{GROUPS}/{group_id}"
