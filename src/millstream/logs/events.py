"""Events, their order, and their ids.

Events of a group are in the order of (event time, arrival, log stream, offset); within a log stream arrivals and
offsets grow together. An id is that order in 56 decimal digits, AWS's length, so ids sort as events do:

    3 | event time, ms: 13 | arrival, ms: 13 | group: 8 | shard: 8 | offset: 13

The digits of the group keep ids of different groups apart, where a collision of two groups' digits and one of all the
other parts at once is not to be expected.

In the log an event's key is its time: eight bytes, little-endian; its data is its message in UTF-8.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from struct import Struct
from typing import NamedTuple

KEY_BYTES = 8
SHARDS_MAX = 10**8
EVENT_OVERHEAD_BYTES = 26  # as CloudWatch Logs counts them

_ID_DIGITS = 56


class Place(NamedTuple):
    """The place of an event among all of its group; also a cut between events: before the event that has it."""

    time_ms: int
    arrival_ms: int
    shard: int
    offset: int

    def after(self) -> Place:
        """The cut right after the event."""
        return self._replace(offset=self.offset + 1)


FIRST = Place(0, 0, 0, 0)


def event_id(group_number: int, place: Place) -> str:
    """The id of the event at `place` of the group with that number."""
    time_ms, arrival_ms, shard, offset = place
    return f"3{time_ms:013}{arrival_ms:013}{group_number:08}{shard:08}{offset:013}"


def place_of(text: str, group_number: int) -> Place | None:
    """The place in an id of an event of that group; None if it is no such id."""
    if len(text) != _ID_DIGITS or not (text.isascii() and text.isdigit()) or text[0] != "3":
        return None
    if int(text[27:35]) != group_number:
        return None
    return Place(int(text[1:14]), int(text[14:27]), int(text[35:43]), int(text[43:]))


def keys_of(times_ms: Sequence[int]) -> list[bytes]:
    """The keys of events of these times."""
    return list(map(Struct("<q").pack, times_ms))


def times_of(keys: Iterable[bytes]) -> array[int]:
    """The times in keys."""
    return array("q", b"".join(keys))
