"""A record log as a source of chunks."""

from __future__ import annotations

from collections.abc import Callable

from millstream.firehose.ports import Chunk
from millstream.log import LogFollower
from millstream.security import SealBroken


class LogSource:
    """`ports.RecordSource` over a followed log.

    `refresh` is called when a block does not open: the log may use a data key that was made since; it takes up the keys
    that there are now.
    """

    def __init__(self, follower: LogFollower, refresh: Callable[[], None]) -> None:
        self._follower = follower
        self._refresh = refresh

    def end(self) -> int:
        """See RecordSource.end."""
        return self._follower.end()

    def read(self, position: int, *, bytes_max: int) -> list[Chunk]:
        """See RecordSource.read. Raises SealBroken, too, for an encrypted block that does not open."""
        try:
            blocks = self._follower.read(position, bytes_max=bytes_max)
        except SealBroken:
            self._refresh()
            blocks = self._follower.read(position, bytes_max=bytes_max)
        return [Chunk(*block) for block in blocks]
