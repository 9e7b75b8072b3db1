"""Faults and headers as they go back."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import cbor2
import pytest
from botocore.parsers import create_parser

from millstream.wire import (
    Codec,
    Fault,
    Operation,
    Service,
    error_reply,
    event_stream_headers,
    faults,
    new_request_id,
    success_headers,
)
from support.wire import KINESIS, SERVICE

NOT_FOUND = faults.ResourceNotFoundException("Stream s under account 000000000000 not found.")


def test_fault_in_the_codec_of_the_request() -> None:
    document = {"__type": "ResourceNotFoundException", "message": NOT_FOUND.message}
    in_json = error_reply(NOT_FOUND, Codec.JSON, "id")
    assert (in_json.status, json.loads(in_json.body)) == (400, document)
    assert dict(in_json.headers)["content-type"] == "application/x-amz-json-1.1"
    in_cbor = error_reply(NOT_FOUND, Codec.CBOR, "id")
    assert (in_cbor.status, cbor2.loads(in_cbor.body)) == (400, document)
    assert dict(in_cbor.headers)["content-type"] == "application/x-amz-cbor-1.1"


def test_serialization_exception_spells_its_message_with_a_capital() -> None:
    assert faults.SerializationException("no").document() == {"__type": "SerializationException", "Message": "no"}


def test_botocore_reads_faults() -> None:
    reply = error_reply(NOT_FOUND, Codec.JSON, "the-id")
    response = {"body": reply.body, "headers": dict(reply.headers), "status_code": reply.status}
    parser: Any = create_parser("json")
    parsed = parser.parse(response, None)
    assert parsed["Error"] == {"Message": NOT_FOUND.message, "Code": "ResourceNotFoundException"}


@pytest.mark.parametrize("codec", Codec)
def test_every_reply_bears_its_ids(codec: Codec) -> None:
    request_id = new_request_id()
    for headers in (
        success_headers(codec, request_id),
        event_stream_headers(request_id),
        error_reply(NOT_FOUND, None, request_id).headers,
    ):
        assert dict(headers)["x-amzn-RequestId"] == request_id
        assert len(b64decode(dict(headers)["x-amz-id-2"])) == 72


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        (
            faults.AccessDeniedException("Unable to <determine>"),
            403,
            "<AccessDeniedException>\n  <Message>Unable to &lt;determine&gt;</Message>\n</AccessDeniedException>\n",
        ),
        (faults.UnknownOperationException(), 404, "<UnknownOperationException/>\n"),
        (faults.InternalFailure(), 500, "<InternalFailure/>\n"),
    ],
)
def test_requests_of_no_known_protocol_are_answered_in_xml(fault: Fault, status: int, body: str) -> None:
    reply = error_reply(fault, None, "id")
    assert (reply.status, reply.body.decode()) == (status, body)
    assert "content-type" not in dict(reply.headers)


def test_every_exception_of_the_model_is_there_with_its_status() -> None:
    exceptions = [
        name for name, shape in KINESIS.shapes.items() if name.endswith("Exception") or name.startswith("KMSOpt")
    ]
    assert len(exceptions) == 18
    for name in exceptions:
        fault = getattr(faults, name)("text")
        assert fault.code == name
        assert fault.status == (500 if name == "InternalFailureException" else 400)


def test_operations_that_are_not_served() -> None:
    served = Service("kinesis", {"ListStreams": Operation("ListStreams", lambda context, params: None)})
    assert served.find("ListStreams").name == "ListStreams"
    with pytest.raises(faults.UnsupportedOperationException, match="CreateQueue is not supported yet"):
        served.find("CreateQueue")
    with pytest.raises(faults.UnknownOperationException):
        served.find("Whatever")


def test_the_whole_model_is_known() -> None:
    assert SERVICE.target_prefix == "Kinesis_20131202"
    assert len(SERVICE.operations_known) >= 57
