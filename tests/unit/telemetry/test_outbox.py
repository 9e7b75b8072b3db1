"""The outbox of log events: taken in the order in which they came; the oldest make room; several processes write."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from millstream.telemetry import Outbox, OutboxError, outbox

AT = ("1", "us-east-1", "group")


@pytest.fixture
def box() -> Iterator[Outbox]:
    it = Outbox(":memory:")
    yield it
    it.close()


def messages(box: Outbox, after: int = 0, events_max: int = 100) -> list[str]:
    return [event.message for event in box.take(after=after, events_max=events_max)]


def test_events_are_taken_in_the_order_in_which_they_came(box: Outbox) -> None:
    box.append(*AT, "s", [(5, "a"), (2, "b")])
    box.append("2", "eu-west-1", "other", "t", [(1, "c")])
    taken = box.take(after=0, events_max=100)
    assert [(event.log_group, event.log_stream, event.time_ms, event.message) for event in taken] == [
        ("group", "s", 5, "a"),
        ("group", "s", 2, "b"),
        ("other", "t", 1, "c"),
    ]
    assert (taken[2].account, taken[2].region) == ("2", "eu-west-1")
    assert messages(box, after=taken[0].sequence, events_max=1) == ["b"]


def test_what_is_forgotten_is_gone_and_makes_room(box: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "EVENTS_MAX", 3)
    box.append(*AT, "s", [(n, str(n)) for n in range(3)])
    box.forget([event.sequence for event in box.take(after=0, events_max=2)])
    assert messages(box) == ["2"]
    box.append(*AT, "s", [(3, "3"), (4, "4")])
    assert messages(box) == ["2", "3", "4"]
    box.forget([event.sequence for event in box.take(after=0, events_max=10)])
    assert messages(box) == []


def test_the_oldest_events_of_a_full_log_stream_are_dropped(box: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "EVENTS_MAX", 20)
    for n in range(50):
        box.append(*AT, "s", [(n, str(n))])
    box.append(*AT, "t", [(0, "other")])
    kept = messages(box)
    assert kept[-2:] == ["49", "other"]
    assert 15 <= len(kept) <= 21
    assert kept[0] == str(51 - len(kept))


def test_large_messages_are_cut_and_bounded_in_sum(box: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "STREAM_BYTES_MAX", outbox.MESSAGE_BYTES_MAX * 4)
    for n in range(8):
        box.append(*AT, "s", [(n, "é" * outbox.MESSAGE_BYTES_MAX)])
    kept = messages(box)
    assert 1 <= len(kept) <= 3
    assert all(len(message.encode()) == outbox.MESSAGE_BYTES_MAX for message in kept)


def test_text_that_is_no_text_is_kept_readable(box: Outbox) -> None:
    box.append(*AT, "s", [(1, "half \ud83d of a pair, and nul \0")])
    assert messages(box) == ["half \\ud83d of a pair, and nul \0"]


def test_two_processes_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "logs.db"
    reader, writer = Outbox(path), Outbox(path)
    writer.append(*AT, "s", [(1, "kept")])
    reader.forget([])
    writer.close()
    assert messages(reader) == ["kept"]
    reader.close()


def test_a_file_of_a_later_layout_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "logs.db"
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 9")
    db.close()
    with pytest.raises(OutboxError, match="layout 9"):
        Outbox(path)
