from __future__ import annotations

import base64
import json

from benchmarks.rendering import RecordMaker, render_call


def split(request: bytes) -> tuple[dict[str, str], bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST / HTTP/1.1"
    return dict(line.split(": ", 1) for line in lines[1:]), body


def test_a_request_states_its_operation_and_its_length() -> None:
    headers, body = split(render_call("ListStreams", {"Limit": 3}))
    assert headers["X-Amz-Target"] == "Kinesis_20131202.ListStreams"
    assert headers["Content-Type"] == "application/x-amz-json-1.1"
    assert int(headers["Content-Length"]) == len(body)
    assert json.loads(body) == {"Limit": 3}


def test_put_records_has_500_records_of_the_size_asked_for_under_distinct_keys() -> None:
    first, second = (json.loads(split(request)[1]) for request in RecordMaker().put_records(200, 2))
    records = first["Records"] + second["Records"]
    assert len(first["Records"]) == len(second["Records"]) == 500
    assert {len(base64.b64decode(record["Data"])) for record in records} == {200}
    assert len({record["PartitionKey"] for record in records}) == 1000


def test_put_record_has_one_record_and_names_the_stream() -> None:
    (request,) = RecordMaker().put_record(1024, 1)
    body = json.loads(split(request)[1])
    assert body["StreamName"] == "bench"
    assert len(base64.b64decode(body["Data"])) == 1024


def test_the_same_seed_renders_the_same_requests() -> None:
    assert RecordMaker(seed=7).put_record(64, 3) == RecordMaker(seed=7).put_record(64, 3)


def test_put_record_batch_calls_firehose_with_500_records_of_the_size_asked_for() -> None:
    (request,) = RecordMaker().put_record_batch(200, 1)
    headers, body = split(request)
    assert headers["X-Amz-Target"] == "Firehose_20150804.PutRecordBatch"
    records = json.loads(body)["Records"]
    assert len({record["Data"] for record in records}) == 500
    assert {len(base64.b64decode(record["Data"])) for record in records} == {200}
