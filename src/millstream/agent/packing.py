"""Packing: records of files become batches of entries, each within what one request and one record may hold.

Entries are made of records in one of three ways: each record for itself; joined, so that a delivery stream bills fewer
of them; in the KPL's format, which a data stream's consumers take apart. An entry holds records of one file only, in
order, and a batch knows which bytes of which files its entries are: what got in can be acknowledged entry by entry.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

from millstream.agent.records import FileId, Span
from millstream.client.puts import Entry


class Run(NamedTuple):
    """Consecutive entries that come from one file: entry i has the bytes from `ends[i - 1]` (the first: `start`)."""

    file: FileId
    start: int
    ends: list[int]


class Piece(NamedTuple):
    """Consecutive records of one file, ready to be sent; record i has the bytes of the file up to `ends[i]`."""

    file: FileId
    path: str
    start: int
    data: list[bytes]
    ends: list[int]


class Limits(NamedTuple):
    """What one request takes: entries, and bytes of data and keys."""

    records_max: int
    bytes_max: int


class Batch:
    """Entries for one request; `data_bytes` is the size of the records in them."""

    def __init__(
        self, entries: list[Entry], runs: list[Run], data_bytes: int, counts: Sequence[int] | None = None
    ) -> None:
        """`counts` says how many records are in each entry; without, it is one in each."""
        self.entries = entries
        self.data_bytes = data_bytes
        self._runs = runs
        self._counts = counts

    def records_in(self, indices: Sequence[int]) -> int:
        """How many records are in these entries."""
        return len(indices) if self._counts is None else sum(map(self._counts.__getitem__, indices))

    def spans(self) -> list[Span]:
        """All bytes of the batch's entries; neighbours are merged."""
        spans: list[Span] = []
        for run in self._runs:
            _append(spans, run.file, run.start, run.ends[-1])
        return spans

    def spans_of(self, indices: Iterable[int]) -> list[Span]:
        """The bytes of some entries, by ascending indices; neighbours are merged."""
        spans: list[Span] = []
        runs = iter(self._runs)
        run, first = next(runs), 0
        for i in indices:
            while i >= first + len(run.ends):
                first += len(run.ends)
                run = next(runs)
            at = i - first
            _append(spans, run.file, run.ends[at - 1] if at else run.start, run.ends[at])
        return spans


class Singly:
    """An entry for each record."""

    def __init__(self, limits: Limits, key_bytes: int, make: Callable[[str, Sequence[bytes]], list[Entry]]) -> None:
        """`make` gives the entries of records of the file of this path; every key has `key_bytes`."""
        self._limits = limits
        self._key_bytes = key_bytes
        self._make = make
        self._clear()

    def _clear(self) -> None:
        self._entries: list[Entry] = []
        self._runs: list[Run] = []
        self._size_bytes = 0
        self._data_bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, piece: Piece, first: int, totals: list[int]) -> int:
        """Take the records of `piece` from index `first` on; gives the index of the first that has no room.

        `totals[i]` is the size of the data of all records before i.
        """
        room = self._limits.bytes_max - self._size_bytes
        stop = min(len(piece.data), first + self._limits.records_max - len(self._entries))
        if totals[stop] - totals[first] + self._key_bytes * (stop - first) > room:
            stop = _fitting(totals, first, stop, room, self._key_bytes)
        if stop == first:
            if self._entries or stop == len(piece.data):
                return first
            stop += 1  # larger than a request should be, but it has to go some time
        self._entries += self._make(piece.path, piece.data[first:stop])
        start = piece.ends[first - 1] if first else piece.start
        self._runs.append(Run(piece.file, start, piece.ends[first:stop]))
        data_bytes = totals[stop] - totals[first]
        self._data_bytes += data_bytes
        self._size_bytes += data_bytes + self._key_bytes * (stop - first)
        return stop

    def seal(self) -> Batch:
        """What was taken, as a batch; begins anew."""
        batch = Batch(self._entries, self._runs, self._data_bytes)
        self._clear()
        return batch


class _Open:
    """Records of one file that will be one entry."""

    def __init__(self, path: str, start: int, order: int) -> None:
        self.path = path
        self.start = start
        self.order = order
        self.end = start
        self.parts: list[bytes] = []
        self.size_bytes = 0


class Together:
    """An entry for as many records of a file as have room in it."""

    def __init__(
        self,
        limits: Limits,
        entry_bytes_max: int,
        overhead_bytes: int,
        make: Callable[[str, Sequence[bytes]], Entry],
    ) -> None:
        """`make` gives the entry for records of the file of this path: at most `overhead_bytes` longer per record.

        A record that alone is longer than `entry_bytes_max` is an entry of its own.
        """
        self._limits = limits
        self._entry_bytes_max = entry_bytes_max
        self._overhead_bytes = overhead_bytes
        self._make = make
        self._clear()

    def _clear(self) -> None:
        self._open: dict[FileId, _Open] = {}
        self._closed: list[tuple[int, Entry, Run, int]] = []
        self._begun = 0
        self._size_bytes = 0
        self._data_bytes = 0

    def __len__(self) -> int:
        return self._begun

    def add(self, piece: Piece, first: int, totals: list[int]) -> int:
        """As `Singly.add`."""
        entry = self._open.get(piece.file)
        if entry is not None and entry.end != piece.start:
            self._close(piece.file)  # what stands between the two was sent already
        while first < len(piece.data):
            entry = self._open.get(piece.file)
            stop = self._stop(entry, first, totals)
            if stop > first:
                self._extend(entry or self._begin(piece, first), piece, first, stop, totals)
                first = stop
            elif entry is not None:
                self._close(piece.file)
            else:
                break
        return first

    def _stop(self, entry: _Open | None, first: int, totals: list[int]) -> int:
        """Up to which record an open entry, or a new one, takes the records from `first` on."""
        room = self._limits.bytes_max - self._size_bytes
        if entry is None and self._begun == self._limits.records_max:
            return first
        in_entry = self._entry_bytes_max - (0 if entry is None else entry.size_bytes)
        last = len(totals) - 1
        stop = _fitting(totals, first, last, min(room, in_entry), self._overhead_bytes)
        is_empty = not self._begun
        if stop == first and entry is None and (is_empty or _size(totals, first, self._overhead_bytes) <= room):
            return first + 1
        return stop

    def _begin(self, piece: Piece, first: int) -> _Open:
        start = piece.ends[first - 1] if first else piece.start
        entry = self._open[piece.file] = _Open(piece.path, start, self._begun)
        self._begun += 1
        return entry

    def _extend(self, entry: _Open, piece: Piece, first: int, stop: int, totals: list[int]) -> None:
        data_bytes = totals[stop] - totals[first]
        size_bytes = data_bytes + self._overhead_bytes * (stop - first)
        entry.parts += piece.data[first:stop]
        entry.end = piece.ends[stop - 1]
        entry.size_bytes += size_bytes
        self._size_bytes += size_bytes
        self._data_bytes += data_bytes

    def _close(self, file: FileId) -> None:
        entry = self._open.pop(file)
        made = self._make(entry.path, entry.parts)
        self._closed.append((entry.order, made, Run(file, entry.start, [entry.end]), len(entry.parts)))

    def seal(self) -> Batch:
        """What was taken, as a batch, in the order in which its entries were begun; begins anew."""
        for file in tuple(self._open):
            self._close(file)
        self._closed.sort(key=lambda closed: closed[0])
        entries = [entry for _, entry, _, _ in self._closed]
        runs = [run for _, _, run, _ in self._closed]
        batch = Batch(entries, runs, self._data_bytes, [count for _, _, _, count in self._closed])
        self._clear()
        return batch


class Packer:
    """Fills batches one after the other."""

    def __init__(self, filling: Singly | Together) -> None:
        self._filling = filling

    def __len__(self) -> int:
        """Entries in the batch that is being filled."""
        return len(self._filling)

    def add(self, piece: Piece) -> list[Batch]:
        """Take the records of `piece`: gives the batches that became full. No record may be longer than a batch."""
        totals = [0, *accumulate(map(len, piece.data))]
        batches = []
        at = self._filling.add(piece, 0, totals)
        while at < len(piece.data):
            batches.append(self._filling.seal())
            at = self._filling.add(piece, at, totals)
        return batches

    def take(self) -> Batch | None:
        """The batch that is being filled, if there is anything in it."""
        return self._filling.seal() if len(self._filling) else None


def _append(spans: list[Span], file: FileId, start: int, end: int) -> None:
    if spans and spans[-1].end == start and spans[-1].file == file:
        start = spans.pop().start
    spans.append(Span(file, start, end))


def _size(totals: list[int], i: int, overhead_bytes: int) -> int:
    return totals[i + 1] - totals[i] + overhead_bytes


def _fitting(totals: list[int], first: int, stop: int, room: int, overhead_bytes: int) -> int:
    """The largest index up to `stop` so that the records from `first` to it, with overheads, are within `room`."""
    limit = room + totals[first] + overhead_bytes * first
    within = bisect_right(range(first, stop + 1), limit, key=lambda i: totals[i] + overhead_bytes * i)
    return first + max(0, within - 1)
