"""Event stream messages survive any payload and any cutting into pieces."""

from __future__ import annotations

from typing import Any

from botocore.eventstream import EventStreamBuffer
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.wire import eventstream

names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)


@settings(deadline=None)
@given(events=st.lists(st.tuples(names, st.binary(max_size=300)), max_size=5), piece_bytes=st.integers(1, 400))
def test_round_trip(events: list[tuple[str, bytes]], piece_bytes: int) -> None:
    stream = b"".join(eventstream.event(name, payload) for name, payload in events)
    buffer: Any = EventStreamBuffer()
    received = []
    for start in range(0, len(stream), piece_bytes):
        buffer.add_data(stream[start : start + piece_bytes])
        received += [(message.headers[":event-type"], message.payload) for message in buffer]
    assert received == events
