"""Records into bulk requests, and what is read from the answers."""

from __future__ import annotations

import json

import pytest

from millstream.firehose.destinations.bulk import Document, Target, document_line, request_body, slices, verdicts
from support.destinations import GivenParcel


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (b'{"a":1}', b'{"a":1}'),
        (b'{"a":1}\n', b'{"a":1}'),
        (b' {\r\n  "a": [1,\n 2],\n\t"b": "x y"\n}\n', b'{"a":[1,2],"b":"x y"}'),
        ('{"town": "Århus"}'.encode(), '{"town":"Århus"}'.encode()),
        (
            b'{"big":123456789012345678901234567890,"exact":1.10}',
            b'{"big":123456789012345678901234567890,"exact":1.10}',
        ),
    ],
)
def test_a_record_becomes_one_line_that_says_the_same(record: bytes, line: bytes) -> None:
    assert document_line(record) == line


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b"", "not a single JSON object"),
        (b"ticks", "not a single JSON object"),
        (b'{"a":1}{"a":2}', "not a single JSON object"),
        (b'{"a":1}\n{"a":2}', "not a single JSON object"),
        (b'{"a":1', "not a single JSON object"),
        (b'{"a":NaN}', "not a single JSON object"),
        (b"[1]", "not an object"),
        (b"7", "not an object"),
        (b'{"a":"\xff"}', "not UTF-8: invalid start byte at byte 6"),
        (b'{"a":"\xed\xa0\x80"}', "not UTF-8"),
        ('{"a":1}'.encode("utf-16"), "not UTF-8"),
        (b'{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_what_is_not_a_document_is_told_apart(record: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        document_line(record)


def _document(ordinal: int) -> Document:
    line = b'{"n":%d}' % ordinal
    return Document(ordinal, line, line)


def test_a_request_names_index_and_id_of_each_document() -> None:
    body = request_body([_document(0), _document(11)], Target("ticks-2026", None, "p-1"))
    assert body == (
        b'{"index":{"_index":"ticks-2026","_id":"p-1.0"}}\n{"n":0}\n'
        b'{"index":{"_index":"ticks-2026","_id":"p-1.11"}}\n{"n":11}\n'
    )


def test_a_type_is_named_only_if_there_is_one() -> None:
    body = request_body([_document(0)], Target("ticks", "tick", None))
    assert body == b'{"index":{"_index":"ticks","_type":"tick"}}\n{"n":0}\n'
    assert b"_type" not in request_body([_document(0)], Target("ticks", "", None))


def test_names_are_escaped_in_a_request() -> None:
    action = request_body([_document(0)], Target('ti"cks', None, "p")).splitlines()[0]
    assert json.loads(action) == {"index": {"_index": 'ti"cks', "_id": "p.0"}}


def test_a_slice_holds_at_most_5_mib_and_ordinals_go_on() -> None:
    record = b'{"x":"%b"}' % (b"y" * 999_992)
    cut = list(slices(GivenParcel([record] * 11 + [b"none"])))
    assert [len(piece.documents) for piece in cut] == [5, 5, 1]
    assert [document.ordinal for piece in cut for document in piece.documents] == list(range(11))
    assert [(unfit.ordinal, unfit.data) for unfit in cut[2].unfit] == [(11, b"none")]


def test_a_slice_holds_at_most_10000_documents() -> None:
    assert [len(piece.documents) for piece in slices(GivenParcel([b"{}"] * 25_000))] == [10_000, 10_000, 5_000]


def test_verdicts_tell_delivered_passing_and_final() -> None:
    items = [
        {"index": {"status": 201}},
        {"index": {"status": 200}},
        {"index": {"status": 429, "error": {"type": "es_rejected_execution_exception"}}},
        {"index": {"status": 400, "error": {"type": "mapper_parsing_exception"}}},
        {"index": {"status": 201, "error": "no, it was not"}},
    ]
    said = verdicts(json.dumps({"errors": True, "items": items}).encode(), 5)
    assert [(verdict.delivered, verdict.final) for verdict in said] == [
        (True, False),
        (True, False),
        (False, False),
        (False, True),
        (False, False),
    ]
    assert said[3].code == "400"
    assert json.loads(said[3].message) == {"type": "mapper_parsing_exception"}


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b'{"items":[{"index":{"status":201}}',
        b'{"took":1,"errors":false}',
        b'{"items":[{"index":{"status":201}}]}',
        b'{"items":[{"index":{"status":201}},{}]}',
        b'{"items":[{"index":{"status":"fine"}},{"index":{"status":201}}]}',
        b'{"items":[{"index":{"status":201}},{"index":{"status":201}},{"index":{"status":201}}]}',
        b'{"items":[{"in\xff":{"status":201}},{"index":{"status":201}}]}',
    ],
)
def test_an_answer_that_cannot_be_believed_is_refused(answer: bytes) -> None:
    with pytest.raises(ValueError, match="The answer to a bulk request"):
        verdicts(answer, 2)
