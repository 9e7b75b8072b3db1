"""What the api process sees of the worker's work: its checkpoints, and how far its journals have grown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from millstream.disk import Disk
from millstream.firehose.progress import Progress, read_saved
from millstream.log import LogFollower
from millstream.server.deliveries import DELIVERIES

AllProgress = Mapping[str, Mapping[str, Progress]]
"""Checkpoints by the delivery stream's id and the delivery's name."""


class ProgressReader:
    """Reads what the worker writes into the catalog at `progress_path`, and below the `disk`'s root."""

    def __init__(self, disk: Disk, progress_path: Path) -> None:
        self._disk = disk
        self._path = progress_path

    def read(self) -> AllProgress:
        """Blocking. All checkpoints; none if no worker ever ran. Raises CatalogError."""
        return read_saved(self._path, Progress)

    def journal_end(self, stream_id: str) -> int:
        """Where the journal of a delivery stream's function ends now; 0 if there is none."""
        return LogFollower(self._disk, f"{DELIVERIES}/{stream_id}/processed").end()
