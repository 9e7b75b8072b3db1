"""The bookkeeping of one delivery: what is delivered, what is on its way, where to start again. See `progress`."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from msgspec.structs import replace

from millstream.firehose.ports import Lane
from millstream.firehose.progress import Progress, RecordedParcel

LANES_AHEAD_MAX = 5_000


class Place(Enum):
    """Where a record that is read belongs, if it belongs to no recorded parcel."""

    OPEN = "open"  # to be buffered
    DONE = "done"  # delivered before


class Ledger:
    """One delivery's progress in memory; its answers come from the same facts that a restart would have."""

    def __init__(self, progress: Progress) -> None:
        self.counters = progress.counters
        self.read_position = progress.position
        """The log was read up to here."""
        self._fixed = progress
        self._done = dict(progress.done)
        self._parcels = {parcel.parcel_id: parcel for parcel in progress.parcels}
        self._by_lane: dict[Lane, list[RecordedParcel]] = {}
        for parcel in progress.parcels:
            self._by_lane.setdefault(parcel.lane, []).append(parcel)

    @property
    def parcels(self) -> list[RecordedParcel]:
        """The recorded parcels that are not settled."""
        return list(self._parcels.values())

    @property
    def is_crowded(self) -> bool:
        """Whether so much is delivered behind the oldest that is not that no more of it is to be remembered.

        Never while what is delivered is read again, after a restart.
        """
        return len(self._done) >= LANES_AHEAD_MAX and self.read_position >= max(self._done.values())

    def place(self, lane: Lane, position: int) -> RecordedParcel | Place:
        """Where records of `lane` from the chunk at `position` belong."""
        for parcel in self._by_lane.get(lane, ()):
            if parcel.start <= position < parcel.end:
                return parcel
        return Place.DONE if position < self._done.get(lane, 0) else Place.OPEN

    def record(self, parcels: Iterable[RecordedParcel]) -> None:
        """Take up parcels that were cut; they may be delivered once `progress` is saved."""
        for parcel in parcels:
            self._parcels[parcel.parcel_id] = parcel
            self._by_lane.setdefault(parcel.lane, []).append(parcel)

    def settle(self, parcel: RecordedParcel) -> None:
        """A recorded parcel is delivered."""
        self._drop(parcel)
        self._done[parcel.lane] = max(parcel.end, self._done.get(parcel.lane, 0))

    def replace(self, parcel: RecordedParcel, by: RecordedParcel) -> None:
        """Record another parcel for the same records: they will not be delivered as they were going to be."""
        self._drop(parcel)
        self.record([by])

    def _drop(self, parcel: RecordedParcel) -> None:
        del self._parcels[parcel.parcel_id]
        of_lane = self._by_lane[parcel.lane]
        of_lane.remove(parcel)
        if not of_lane:
            del self._by_lane[parcel.lane]

    def progress(self, open_starts: Iterable[int]) -> Progress:
        """What to save, while buffers starting at `open_starts` hold what is neither delivered nor recorded."""
        starts = (*open_starts, *(parcel.start for parcel in self._parcels.values()))
        position = min(starts, default=self.read_position)
        position = min(position, self.read_position)
        self._done = {lane: end for lane, end in self._done.items() if end > position}
        return replace(
            self._fixed,
            position=position,
            done=list(self._done.items()),
            parcels=list(self._parcels.values()),
            counters=self.counters,
        )

    def count(self, records: int, size_bytes: int, failed: int, now_ms: int) -> None:
        """Add a settled parcel to the counters."""
        counters = self.counters
        self.counters = replace(
            counters,
            delivered_records=counters.delivered_records + records,
            delivered_bytes=counters.delivered_bytes + size_bytes,
            failed_records=counters.failed_records + failed,
            parcels=counters.parcels + 1,
            last_delivered_ms=now_ms if records else counters.last_delivered_ms,
        )
