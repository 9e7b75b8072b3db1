"""What becomes of an event in a search index."""

from __future__ import annotations

import json

import pytest

from millstream.connect.subscription import bulk
from millstream.connect.subscription.connector import ConnectorError, Settings, make_connector, names
from millstream.connect.subscription.documents import full_document, index_name, iso_time, json_tail, plain_document
from millstream.connect.subscription.messages import LogEvent

TIME_MS = 1_763_923_500_042  # 2025-11-23T18:45:00.042Z


def event(message: str = "hello", fields: dict[str, str] | None = None, number: int = 1) -> LogEvent:
    return LogEvent(str(number), TIME_MS, message, "111", "group", "stream", fields)


PLAIN = {
    "@id": "1",
    "@timestamp": "2025-11-23T18:45:00.042Z",
    "@message": "hello",
    "@owner": "111",
    "@log_group": "group",
    "@log_stream": "stream",
}


def test_every_event_has_these_fields() -> None:
    assert full_document(event()) == plain_document(event()) == PLAIN


def test_extracted_fields_become_numbers_and_objects() -> None:
    fields = {"bytes": "443", "ratio": "-1.5e3", "account": "007x", "call": 'took {"ms": 5}', "end": "1e999"}
    found = full_document(event(fields=fields))
    assert {name: found[name] for name in found if not name.startswith("@")} == {
        "bytes": 443,
        "ratio": -1500.0,
        "account": "007x",
        "call": 'took {"ms": 5}',
        "$call": {"ms": 5},
        "end": "1e999",
    }


def test_a_whole_number_that_no_index_holds_becomes_a_float() -> None:
    assert full_document(event(fields={"n": "9" * 30}))["n"] == float("9" * 30)


def test_a_message_that_ends_with_json_gives_its_members() -> None:
    message = '2025-11-23 18:45:00 abc {"recordsProcessed": 5, "@id": "mine"}'
    found = full_document(event(message))
    assert found["recordsProcessed"] == 5
    assert found["@id"] == "1"
    assert found["@message"] == message


@pytest.mark.parametrize("text", ["", "no", "{", '{"a": 1} tail', "[1]", '"{}"x', "{" * 5000, "\ud800{}"])
def test_no_json_at_the_end(text: str) -> None:
    assert json_tail(text) in (None, {})


def test_an_index_a_day() -> None:
    assert index_name("cwl-yyyy.MM.dd", TIME_MS) == "cwl-2025.11.23"
    assert index_name("address-yyyyMMddHH", TIME_MS) == "address-2025112318"
    assert index_name("all", TIME_MS) == "all"


def test_times_that_no_calendar_has() -> None:
    assert iso_time(1 << 62).startswith("1970-01-01T")


def test_a_bulk_request_is_two_lines_an_event() -> None:
    (request,) = bulk.requests([event(), event("x", number=2)], "cwl-yyyy.MM.dd", plain_document)
    lines = [json.loads(line) for line in request.body.splitlines()]
    assert lines[0] == {"index": {"_index": "cwl-2025.11.23", "_id": "1"}}
    assert lines[1] == PLAIN
    assert [each.id for each in request.events] == ["1", "2"]


def test_requests_are_cut_by_size() -> None:
    events = [event("x" * 1_000_000, number=number) for number in range(12)]
    requests = list(bulk.requests(events, "i", plain_document))
    assert [len(request.events) for request in requests] == [5, 5, 2]
    assert [each for request in requests for each in request.events] == events


def test_verdicts() -> None:
    items = [{"index": {"status": status, "error": {"reason": f"{status}"}}} for status in (201, 400, 429, 503)]
    events = [event(number=number) for number in range(4)]
    verdict = bulk.verdict(json.dumps({"items": items}).encode(), events)
    assert verdict.refused == events[1:2]
    assert verdict.waiting == events[2:]
    assert "400" in verdict.problem


@pytest.mark.parametrize("answer", [b"", b"{}", b'{"items": [{}]}', b"\xff", b'{"items": []}'])
def test_answers_that_cannot_be_believed(answer: bytes) -> None:
    with pytest.raises(ConnectorError) as caught:
        bulk.verdict(answer, [event()])
    assert caught.value.is_passing


def test_ours_are_installed() -> None:
    assert {"elasticsearch", "s3", "stdout"} <= set(names())


@pytest.mark.parametrize(
    ("name", "values", "why"),
    [
        ("kafka", {}, "no connector 'kafka' is installed; there are elasticsearch, s3, stdout"),
        ("stdout", {"format": "xml"}, "it should be json or text"),
        ("stdout", {"fromat": "text"}, "the setting fromat is not known here; known are format"),
        ("elasticsearch", {}, "the setting url is missing: --set url="),
        ("elasticsearch", {"url": "localhost:9200"}, "it should look like"),
        ("elasticsearch", {"url": "http://u:secret@"}, "it should look like"),
        ("s3", {"url": "http://x"}, "it should be s3://BUCKET/PREFIX"),
    ],
)
def test_settings_that_make_no_sense(name: str, values: dict[str, str], why: str) -> None:
    with pytest.raises(ConnectorError, match=why) as caught:
        make_connector(name, values)
    assert "secret" not in str(caught.value)


def test_numbers_of_settings() -> None:
    settings = Settings({"n": "5", "m": "-1"})
    assert settings.number("n", 1, 1, 10) == 5
    assert settings.number("other", 7, 1, 10) == 7
    with pytest.raises(ConnectorError, match="from 1 to 10"):
        settings.number("m", 1, 1, 10)
