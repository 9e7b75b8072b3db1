"""Log events by boto3 and the AWS CLI: put, paged either way, filtered, followed as the usual tools follow them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.clients import client
from support.kinesis import new_name, refusal

if TYPE_CHECKING:
    from support.server import Server

AWS = Path(sys.executable).with_name("aws")
HOUR_MS = 3_600_000


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class Group:
    """A log group of the test's own."""

    def __init__(self, logs: Any, name: str) -> None:
        self.logs = logs
        self.name = name
        self.streams: set[str] = set()
        logs.create_log_group(logGroupName=name)

    def put(self, stream: str, *events: tuple[int, str]) -> dict[str, Any]:
        """Put events (time, message) into a log stream, which is made."""
        if stream not in self.streams:
            self.logs.create_log_stream(logGroupName=self.name, logStreamName=stream)
            self.streams.add(stream)
        given = [{"timestamp": time_ms, "message": message} for time_ms, message in events]
        reply: dict[str, Any] = self.logs.put_log_events(logGroupName=self.name, logStreamName=stream, logEvents=given)
        return reply

    def get(self, stream: str, **params: Any) -> dict[str, Any]:
        """A page of a log stream."""
        reply: dict[str, Any] = self.logs.get_log_events(logGroupName=self.name, logStreamName=stream, **params)
        return reply

    def filtered(self, **params: Any) -> list[str]:
        """The messages that all pages have."""
        pages = self.logs.get_paginator("filter_log_events").paginate(logGroupName=self.name, **params)
        return [event["message"] for page in pages for event in page["events"]]


@pytest.fixture
def group(server: Server, account: str) -> Group:
    return Group(client("logs", server.url, account, "us-east-1"), new_name("group"))


def messages(page: dict[str, Any]) -> list[str]:
    return [event["message"] for event in page["events"]]


def test_an_event_comes_back_as_it_was_put(group: Group) -> None:
    at_ms = now_ms()
    reply = group.put("s", (at_ms, 'né "quoted" \n\t 😀 \0'))
    assert len(reply["nextSequenceToken"]) == 56
    (event,) = group.get("s")["events"]
    assert (event["timestamp"], event["message"]) == (at_ms, 'né "quoted" \n\t 😀 \0')
    assert at_ms <= event["ingestionTime"] <= now_ms()
    (found,) = group.logs.filter_log_events(logGroupName=group.name)["events"]
    assert found.pop("eventId").isdigit()
    assert found == {"logStreamName": "s", **event}


def test_half_characters_are_replaced_and_hold_up_no_other_event(group: Group) -> None:
    at_ms = now_ms()
    group.put("s", (at_ms, "a\udc80b\ud800"), (at_ms, "\\ud800 😀"))
    assert messages(group.get("s")) == ["a\ufffdb\ufffd", "\\ud800 😀"]


def test_pages_from_the_head_and_back(group: Group) -> None:
    at_ms = now_ms()
    group.put("s", *((at_ms + n, f"{n}") for n in range(10)))
    first = group.get("s", startFromHead=True, limit=4)
    second = group.get("s", nextToken=first["nextForwardToken"], limit=4)
    third = group.get("s", nextToken=second["nextForwardToken"], limit=4)
    assert [messages(page) for page in (first, second, third)] == [list("0123"), list("4567"), list("89")]
    end = group.get("s", nextToken=third["nextForwardToken"])
    assert messages(end) == []
    assert end["nextForwardToken"] == third["nextForwardToken"]
    assert messages(group.get("s", nextToken=end["nextBackwardToken"], limit=3)) == list("789")
    back = group.get("s", nextToken=third["nextBackwardToken"], limit=100)
    assert messages(back) == list("01234567")
    before = group.get("s", nextToken=back["nextBackwardToken"])
    assert messages(before) == []
    assert before["nextBackwardToken"] == back["nextBackwardToken"]
    assert messages(group.get("s", nextToken=before["nextForwardToken"], limit=2)) == list("01")
    group.put("s", (at_ms + 10, "new"))
    assert messages(group.get("s", nextToken=end["nextForwardToken"])) == ["new"]


def test_the_newest_page_comes_first_unless_the_head_is_asked_for(group: Group) -> None:
    at_ms = now_ms()
    group.put("s", *((at_ms, f"{n}") for n in range(10)))
    newest = group.get("s", limit=3)
    assert messages(newest) == list("789")
    assert messages(group.get("s", limit=3, nextToken=newest["nextBackwardToken"])) == list("456")


def test_an_empty_log_stream_can_be_followed(group: Group) -> None:
    group.logs.create_log_stream(logGroupName=group.name, logStreamName="s")
    group.streams.add("s")
    for params in ({}, {"startFromHead": True}, {"startTime": now_ms() - HOUR_MS}):
        page = group.get("s", **params)
        again = group.get("s", nextToken=page["nextForwardToken"], startFromHead=True)
        assert (again["events"], again["nextForwardToken"]) == ([], page["nextForwardToken"])
    group.put("s", (now_ms(), "first"))
    assert messages(group.get("s", nextToken=page["nextForwardToken"])) == ["first"]


def test_ranges_of_time(group: Group) -> None:
    """The end is left out by GetLogEvents, and kept by FilterLogEvents."""
    at_ms = now_ms()
    group.put("s", *((at_ms + n, f"{n}") for n in range(5)))
    between = {"startTime": at_ms + 1, "endTime": at_ms + 3}
    assert messages(group.get("s", **between)) == ["1", "2"]
    assert group.filtered(**between) == ["1", "2", "3"]
    assert group.filtered(startTime=at_ms + 5) == []
    assert messages(group.get("s", startTime=at_ms + 5, endTime=at_ms)) == []


def test_events_that_come_late_are_given_in_the_order_of_their_times(group: Group) -> None:
    at_ms = now_ms()
    group.put("s", (at_ms, "c"), (at_ms, "d"))
    group.put("s", (at_ms - HOUR_MS, "a"), (at_ms - 1, "b"))
    group.put("s", (at_ms, "e"))
    assert messages(group.get("s", startFromHead=True)) == list("abcde")
    assert messages(group.get("s", limit=2)) == ["d", "e"]


def test_log_streams_are_interleaved(group: Group) -> None:
    at_ms = now_ms()
    for n in range(12):
        group.put(f"s{n % 3}", (at_ms + n, f"{n}"))
    everything = [f"{n}" for n in range(12)]
    assert group.filtered() == group.filtered(limit=5) == everything
    assert group.filtered(startFromHead=False) == group.filtered(startFromHead=False, limit=5) == everything[::-1]
    assert group.filtered(logStreamNames=["s0", "s2"]) == [text for text in everything if int(text) % 3 != 1]
    assert group.filtered(logStreamNamePrefix="s1") == ["1", "4", "7", "10"]
    assert group.logs.filter_log_events(logGroupName=group.name)["searchedLogStreams"] == []
    ids = [event["eventId"] for event in group.logs.filter_log_events(logGroupName=group.name)["events"]]
    assert ids == sorted(set(ids))


def test_filter_patterns(group: Group) -> None:
    at_ms = now_ms()
    lines = ["GET /a 200", "ERROR GET /b 500", '{"level": "ERROR", "n": 7}', '{"level": "INFO", "n": 9}']
    group.put("s", *((at_ms, line) for line in lines))
    assert group.filtered(filterPattern="ERROR") == lines[1:3]
    assert group.filtered(filterPattern='"GET /a"') == lines[:1]
    assert group.filtered(filterPattern="{ $.n > 8 }") == lines[3:]
    assert group.filtered(filterPattern="[..., status = 5*]") == lines[1:2]
    assert group.filtered(filterPattern=" ") == lines


def test_what_is_rejected_of_a_batch(group: Group) -> None:
    at_ms = now_ms()
    old, new = at_ms - 15 * 24 * HOUR_MS, at_ms + 2 * HOUR_MS + 60_000
    reply = group.put("s", (old, "old"), (old, "old, too"), (at_ms, "kept"), (new, "new"), (new + 1, "newer"))
    assert reply["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 2, "tooNewLogEventStartIndex": 3}
    assert messages(group.get("s")) == ["kept"]
    assert group.put("s", (old, "alone"))["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1}


def test_batches_that_are_refused(group: Group) -> None:
    at_ms = now_ms()
    group.put("s", (at_ms, "first"))

    def refused(*events: tuple[int, str]) -> str:
        given = [{"timestamp": time_ms, "message": message} for time_ms, message in events]
        found = refusal(group.logs.put_log_events, logGroupName=group.name, logStreamName="s", logEvents=given)
        assert found.code == "InvalidParameterException"
        return found.message

    assert "chronological order" in refused((at_ms, "a"), (at_ms - 1, "b"))
    assert "span more than 24 hours" in refused((at_ms - 24 * HOUR_MS - 1, "a"), (at_ms, "b"))
    half = "é" * 262_144
    assert refused((at_ms, half), (at_ms, half)) == "Upload too large: 1048628 bytes exceeds limit of 1048576"
    assert "Log event too large: 1048578" in refused((at_ms, half + half + "é"))
    assert "10000" in refused(*[(at_ms, "m")] * 10_001)
    assert messages(group.get("s")) == ["first"]
    group.put("s", *[(at_ms, "m")] * 10_000)
    group.put("s", (at_ms, "m" * (1_048_576 - 26)))


def test_a_page_holds_at_most_a_mebibyte(group: Group) -> None:
    at_ms = now_ms()
    for n in range(3):
        group.put("s", *((at_ms + n, "x" * 200_000) for _ in range(4)))
    page = group.get("s", startFromHead=True)
    assert len(page["events"]) == 5
    assert len(group.get("s", nextToken=page["nextForwardToken"])["events"]) == 5
    assert len(group.filtered()) == 12


def test_sequence_tokens_and_entities_are_ignored(group: Group) -> None:
    group.put("s", (now_ms(), "1"))
    group.logs.put_log_events(
        logGroupName=group.name,
        logStreamName="s",
        logEvents=[{"timestamp": now_ms(), "message": "2"}],
        sequenceToken="wrong",
        entity={"keyAttributes": {"Type": "Service", "Name": "x"}},
    )
    assert messages(group.get("s")) == ["1", "2"]


def test_a_group_is_followed_as_tail_follows_it(group: Group) -> None:
    """What `aws logs tail --follow` does: the time of the newest event, less what it has seen."""
    seen: dict[str, str] = {}
    start_ms = now_ms() - HOUR_MS
    for n in range(6):
        at_ms = now_ms()
        group.put(f"s{n % 2}", (at_ms, f"{n}"), (at_ms, f"{n}!"))
        pages = group.logs.get_paginator("filter_log_events").paginate(
            logGroupName=group.name, startTime=start_ms, interleaved=True, limit=3
        )
        for page in pages:
            for event in page["events"]:
                start_ms = max(start_ms, event["timestamp"])
                seen.setdefault(event["eventId"], event["message"])
    assert list(seen.values()) == [text for n in range(6) for text in (f"{n}", f"{n}!")]


def test_the_command_line(group: Group, environment: dict[str, str]) -> None:
    def aws(*arguments: str) -> Any:
        command = [str(AWS), "logs", *arguments, "--log-group-name", group.name]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    group.logs.create_log_stream(logGroupName=group.name, logStreamName="s")
    event = json.dumps([{"timestamp": now_ms(), "message": "by hand"}])
    aws("put-log-events", "--log-stream-name", "s", "--log-events", event)
    assert messages(group.get("s")) == ["by hand"]
    assert aws("filter-log-events", "--filter-pattern", "hand")["events"][0]["logStreamName"] == "s"
