"""Pieces of files, as the agent's tail would hand them on."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from millstream.agent.packing import Piece
from millstream.agent.records import FileId

if TYPE_CHECKING:
    from collections.abc import Sequence


def piece(data: Sequence[bytes], *, inode: int = 1, start: int = 0, path: str = "/var/log/app.log") -> Piece:
    """These records, one after the other in a file from `start` on."""
    return Piece(FileId(1, inode), path, start, list(data), list(accumulate(map(len, data), initial=start))[1:])
