"""Records of log subscriptions: what is in them, and what is none."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from millstream.connect.subscription import messages
from millstream.connect.subscription.messages import LogEvent, NotASubscription, events_of

EVENT = {"id": "1", "timestamp": 1_700_000_000_123, "message": "hello"}


def record(**members: Any) -> bytes:
    message = {"messageType": "DATA_MESSAGE", "owner": "111", "logGroup": "g", "logStream": "s", "logEvents": [EVENT]}
    return gzip.compress(json.dumps(message | members).encode(), mtime=0)


def test_events_know_where_they_are_from() -> None:
    assert events_of(record()) == [LogEvent("1", 1_700_000_000_123, "hello", "111", "g", "s")]


def test_extracted_fields_without_a_value_are_left_out() -> None:
    (event,) = events_of(record(logEvents=[EVENT | {"extractedFields": {"ip": "10.0.0.1", "user": None}}]))
    assert event.fields == {"ip": "10.0.0.1"}


def test_control_messages_have_no_events() -> None:
    assert events_of(record(messageType="CONTROL_MESSAGE")) == []


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"hello", "not in GZIP format"),
        (b"", "cut short"),
        (record()[:-9], "cut short"),
        (gzip.compress(b"hello", mtime=0), "not a message of a log subscription"),
        (gzip.compress(b"[" * 100_000, mtime=0), "not a message of a log subscription"),
        (gzip.compress(b'{"messageType": "\xff"}', mtime=0), "not a message of a log subscription"),
        (record(logEvents=[{"id": 1}]), "not a message of a log subscription"),
        (record(messageType="OTHER"), "unknown type 'OTHER'"),
    ],
    ids=["text", "nothing", "cut", "no JSON", "deep", "no UTF-8", "no text", "other type"],
)
def test_what_is_none(content: bytes, why: str) -> None:
    with pytest.raises(NotASubscription, match=why):
        events_of(content)


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "RECORD_BYTES_MAX", 1 << 20)
    with pytest.raises(NotASubscription, match="more than 1 MiB"):
        events_of(gzip.compress(b" " * (8 << 20)))
