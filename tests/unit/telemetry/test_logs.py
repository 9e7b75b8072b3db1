"""Log events: pages by time, text and log stream; the oldest make room; another process may read meanwhile."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from millstream.telemetry import LogGroups, LogsError, logs

AT = ("1", "us-east-1", "group")


@pytest.fixture
def groups() -> Iterator[LogGroups]:
    it = LogGroups(":memory:")
    yield it
    it.close()


def messages(groups: LogGroups, **filters: object) -> list[str]:
    return [event.message for event in groups.read(*AT, **filters)]  # type: ignore[arg-type]


def test_newest_or_oldest_first(groups: LogGroups) -> None:
    groups.append(*AT, "s", [(1, "a"), (2, "b"), (2, "c")])
    assert messages(groups) == ["c", "b", "a"]
    assert messages(groups, newest=False) == ["a", "b", "c"]


@pytest.mark.parametrize("newest", [True, False])
def test_pages_join_without_a_gap(groups: LogGroups, newest: bool) -> None:
    for log_stream in ("s", "t"):
        groups.append(*AT, log_stream, [(n // 3, f"{log_stream}{n}") for n in range(20)])
    seen, beyond = [], None
    while page := groups.read(*AT, newest=newest, beyond=beyond, events_max=7):
        seen += [event.message for event in page]
        beyond = page[-1].time_ms, page[-1].sequence
    assert seen == messages(groups, newest=newest)
    assert len(set(seen)) == 40


def test_filters(groups: LogGroups) -> None:
    groups.append(*AT, "s", [(1, "access denied"), (2, "slow down"), (3, "access denied")])
    groups.append(*AT, "t", [(2, "100% _ denied")])
    groups.append("2", "us-east-1", "group", "s", [(9, "of another account")])
    assert messages(groups, log_stream="t") == ["100% _ denied"]
    assert messages(groups, start_ms=2, end_ms=3) == ["100% _ denied", "slow down"]
    assert messages(groups, text="denied", log_stream="s", newest=False, events_max=1) == ["access denied"]
    assert messages(groups, text="%") == ["100% _ denied"]
    assert groups.read("1", "us-east-1", "no such group") == []


def test_the_oldest_events_of_a_full_log_stream_are_dropped(groups: LogGroups, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "EVENTS_MAX", 50)
    groups.append(*AT, "quiet", [(0, "old but alone")])
    for n in range(200):
        groups.append(*AT, "busy", [(n, str(n))])
    kept = messages(groups, log_stream="busy", events_max=1000)
    assert 40 <= len(kept) <= 50
    assert kept == [str(n) for n in range(199, 199 - len(kept), -1)]
    assert messages(groups, log_stream="quiet") == ["old but alone"]


def test_large_messages_are_cut_and_bounded_in_sum(groups: LogGroups, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "STREAM_BYTES_MAX", 1 << 20)
    for n in range(10):
        groups.append(*AT, "s", [(n, "é" * logs.MESSAGE_BYTES_MAX)])
    kept = messages(groups)
    assert [len(message.encode()) for message in kept] == [logs.MESSAGE_BYTES_MAX] * 3


def test_text_that_is_no_text_is_kept_readable(groups: LogGroups) -> None:
    groups.append(*AT, "s", [(1, "a\udcff\0b")])
    assert messages(groups) == ["a\\udcff\0b"]


def test_one_process_writes_while_another_reads(tmp_path: Path) -> None:
    path = tmp_path / "logs.db"
    reader = LogGroups(path, read_only=True)  # the one that reads may come first
    writer = LogGroups(path)
    assert messages(reader) == []
    writer.append(*AT, "s", [(1, "a")])
    assert messages(reader) == ["a"]
    with pytest.raises(LogsError, match="readonly"):
        reader.append(*AT, "s", [(1, "b")])
    writer.close()
    reader.close()
    again = LogGroups(path)
    assert messages(again) == ["a"]
    again.close()


def test_files_of_the_future_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "logs.db"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 9")
    db.close()
    with pytest.raises(LogsError, match="layout 9"):
        LogGroups(path)
