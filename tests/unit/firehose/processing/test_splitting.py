"""The processors before a function."""

from __future__ import annotations

import gzip
import json

import pytest

from millstream.firehose.processing import decompression, splitting
from millstream.firehose.processing.cloudwatch import extract_messages
from millstream.firehose.processing.deaggregation import decode_delimiter, delimited, json_objects
from millstream.firehose.processing.decompression import decompress
from millstream.firehose.processing.failures import ProcessingFailure
from millstream.firehose.processing.splitting import Piece, Splitter
from millstream.wire import aggregation
from support.configurations import processor
from support.processing import aggregated, chunk, typed


def test_an_aggregated_record_comes_apart_with_the_keys_of_its_parts() -> None:
    splitter = Splitter([], from_kinesis=True)
    packed = aggregated(("a", b"one"), ("b", b"two" * 100), ("a", b""))
    assert splitter.pieces(chunk(b"plain", packed, keys=[b"p", b"q"])) == [
        Piece(b"plain", 0, b"p"),
        Piece(b"one", 1, b"a", 0),
        Piece(b"two" * 100, 1, b"b", 1),
        Piece(b"", 1, b"a", 2),
    ]


def test_what_only_looks_aggregated_is_a_record_like_any_other() -> None:
    whole = aggregated(("a", b"one"))
    for fake in (aggregation.MAGIC, whole[:-1] + b"?", whole[:9] + b"!" + whole[10:], aggregation.MAGIC + b"x" * 40):
        assert aggregation.unpack(fake) is None


def test_records_of_direct_put_are_not_taken_apart() -> None:
    assert Splitter([], from_kinesis=False).leaves(chunk(aggregated(("a", b"one"))))


@pytest.mark.parametrize(
    ("record", "objects"),
    [
        (b'{"a":1}{"a":2}', [b'{"a":1}', b'{"a":2}']),
        (b' {"a":1}\r\n\t{"a":"}{"}\n', [b'{"a":1}', b'{"a":"}{"}']),
        (b'{"a": {"b": [1]}}', [b'{"a": {"b": [1]}}']),
        (b'{"a":"\xff"}{}', [b'{"a":"\xff"}', b"{}"]),
    ],
)
def test_json_objects_come_apart(record: bytes, objects: list[bytes]) -> None:
    assert json_objects(record) == objects


@pytest.mark.parametrize(
    "record", [b"", b" ", b"[{},{}]", b'{"a":1},{"a":2}', b"{}{", b"{} x", b"{}" * 501, b'{"a":' * 9999]
)
def test_what_is_no_sequence_of_json_objects_stays_whole(record: bytes) -> None:
    assert json_objects(record) == [record]


def test_delimited_records_come_apart() -> None:
    split = delimited(decode_delimiter("IyMjIw=="))
    assert split(b"a####b##c####") == [b"a", b"b##c"]
    assert split(b"####") == [b"####"]
    assert split(b"a####" * 501) == [b"a####" * 501]


@pytest.mark.parametrize("value", ["####", "", "IyMjIw"])
def test_a_delimiter_that_is_not_base64_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="Delimiter of RecordDeAggregation"):
        decode_delimiter(value)


def test_gzip_is_decompressed_whatever_its_members() -> None:
    assert decompress(gzip.compress(b"one") + gzip.compress(b"two") + b"\0\0") == [b"onetwo"]


def test_what_is_not_whole_gzip_fails() -> None:
    whole = gzip.compress(b"x" * 100)
    for record in (b"", b"plain", whole[:-9], whole[:-1] + b"?", whole[:-6] + b"??" + whole[-4:], whole + b"rest"):
        with pytest.raises(ProcessingFailure) as raised:
            decompress(record)
        assert raised.value.kind == "decompression-failed"


def test_a_bomb_is_not_decompressed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decompression, "DECOMPRESSED_BYTES_MAX", 1000)
    assert len(decompress(gzip.compress(bytes(1000)))[0]) == 1000
    with pytest.raises(ProcessingFailure, match="when it is decompressed"):
        decompress(gzip.compress(bytes(1001)))
    with pytest.raises(ProcessingFailure, match="when it is decompressed"):
        decompress(gzip.compress(bytes(999)) * 2)


def _subscription(kind: str, *messages: str) -> bytes:
    events = [{"id": "1", "timestamp": 1, "message": message} for message in messages]
    return json.dumps({"messageType": kind, "owner": "1", "logGroup": "g", "logEvents": events}).encode()


def test_bombs_that_come_together_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splitting, "CHUNK_BYTES_MAX", 2_500)
    bomb = gzip.compress(bytes(1_000))
    pieces = Splitter([typed(processor("Decompression"))], from_kinesis=False).pieces(chunk(*[bomb] * 4))
    assert [piece.failure for piece in pieces] == ["", "", *["decompression-failed"] * 2]
    assert "decompressed" in json.loads(pieces[2].data)["errorMessage"]


def test_messages_are_extracted_each_with_a_newline() -> None:
    assert extract_messages(_subscription("DATA_MESSAGE", "one", "zwei \u00fc")) == ["one\nzwei \u00fc\n".encode()]


def test_control_messages_are_dropped() -> None:
    assert extract_messages(_subscription("CONTROL_MESSAGE", "CWL CONTROL MESSAGE: Checking health")) == []


@pytest.mark.parametrize("record", [b"", b"text", b"{}", b'{"messageType":"DATA_MESSAGE","logEvents":[{"message":1}]}'])
def test_what_is_no_subscription_message_fails(record: bytes) -> None:
    with pytest.raises(ProcessingFailure, match="CloudWatch Logs subscription"):
        extract_messages(record)


def test_processors_work_in_awss_order_whatever_theirs_is() -> None:
    splitter = Splitter(
        [
            typed(processor("RecordDeAggregation", SubRecordType="JSON")),
            typed(processor("CloudWatchLogProcessing", DataMessageExtraction="true")),
            typed(processor("Decompression", CompressionFormat="GZIP")),
        ],
        from_kinesis=False,
    )
    good = gzip.compress(_subscription("DATA_MESSAGE", '{"a":1}', '{"a":2}'))
    pieces = splitter.pieces(chunk(good, b"not gzip", gzip.compress(_subscription("CONTROL_MESSAGE"))))
    assert [piece.data for piece in pieces if not piece.failure] == [b'{"a":1}', b'{"a":2}']
    (failed,) = [piece for piece in pieces if piece.failure]
    assert (failed.failure, failed.origin) == ("decompression-failed", 1)
    assert json.loads(failed.data)["rawData"] == "bm90IGd6aXA="


def test_extraction_can_be_off() -> None:
    off = typed(processor("CloudWatchLogProcessing", DataMessageExtraction="false"))
    assert Splitter([off], from_kinesis=False).leaves(chunk(b"x"))
