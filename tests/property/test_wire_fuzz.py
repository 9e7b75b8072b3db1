"""Whatever the bytes, decoders raise nothing but faults that blame the caller."""

from __future__ import annotations

import json
from typing import Any

import cbor2
import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from millstream.wire import Codec, Fault, Service, error_reply, parse_head
from support.wire import KINESIS, SERVICE, TYPED

UNHURRIED = settings(deadline=None)  # the machine may be busy
TYPED_OPERATIONS = ("PutRecords", "GetRecords")
OPERATIONS = sorted(KINESIS.operations)
MEMBERS = sorted({name for shape in KINESIS.shapes.values() for name in shape.members})

numbers = st.integers() | st.floats()
texts = st.text() | st.sampled_from(["aGk=", "a", "LATEST", "0", "+/+="])
json_trees = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(MEMBERS) | texts, inner, max_size=6),
    max_leaves=20,
)
cbor_scalars = (
    st.none()
    | st.booleans()
    | numbers
    | texts
    | st.binary(max_size=20)
    | st.just(cbor2.undefined)
    | st.builds(cbor2.CBORSimpleValue, st.integers(0, 19))
)
cbor_trees = st.recursive(
    cbor_scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(MEMBERS) | texts | st.integers() | st.binary(max_size=4), inner, max_size=6)
        | st.builds(cbor2.CBORTag, st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 2, 3, 4, 28, 29, 30, 258]), inner)
    ),
    max_leaves=20,
)
requests = st.dictionaries(st.sampled_from(MEMBERS), json_trees, max_size=8)
cbor_requests = st.dictionaries(st.sampled_from(MEMBERS), cbor_trees, max_size=8)


def outcome(service: Service, operation: str, codec: Codec, body: bytes) -> Any:
    """The parameters, or the reply if they are refused; any exception but a fault of status 4xx fails the test."""
    try:
        params = service.decode(service.find(operation), codec, body)
    except Fault as fault:
        reply = error_reply(fault, codec, "id")
    else:
        return msgspec.to_builtins(params, builtin_types=(bytes,))
    assert reply.status == 400
    return reply.body


def take(operation: str, codec: Codec, body: bytes) -> None:
    """Decode by the generic path, and also by the fast path if the operation has one: they must agree."""
    generic = outcome(SERVICE, operation, codec, body)
    if operation in TYPED_OPERATIONS:
        typed = outcome(TYPED, operation, codec, body)
        if isinstance(typed, dict):
            assert without_nulls(typed) == generic
        else:
            assert typed == generic


def without_nulls(params: Any) -> Any:
    if isinstance(params, list):
        return [without_nulls(element) for element in params]
    if isinstance(params, dict):
        return {name: without_nulls(value) for name, value in params.items() if value is not None}
    return params


@pytest.mark.parametrize("codec", Codec)
@UNHURRIED
@given(operation=st.sampled_from(TYPED_OPERATIONS) | st.sampled_from(OPERATIONS), body=st.binary(max_size=200))
@example(operation="PutRecords", body=b"")
def test_any_bytes(codec: Codec, operation: str, body: bytes) -> None:
    take(operation, codec, body)


@UNHURRIED
@given(operation=st.sampled_from(TYPED_OPERATIONS) | st.sampled_from(OPERATIONS), tree=requests | json_trees)
def test_any_json(operation: str, tree: Any) -> None:
    body = json.dumps(tree).encode()
    take(operation, Codec.JSON, body)


@UNHURRIED
@given(operation=st.sampled_from(TYPED_OPERATIONS) | st.sampled_from(OPERATIONS), tree=cbor_requests | cbor_trees)
def test_any_cbor(operation: str, tree: Any) -> None:
    body = cbor2.dumps(tree)
    take(operation, Codec.CBOR, body)


@pytest.mark.parametrize("codec", Codec)
@UNHURRIED
@given(data=st.data(), tree=requests)
def test_bodies_with_damaged_bytes(codec: Codec, data: st.DataObject, tree: Any) -> None:
    operation = data.draw(st.sampled_from([*TYPED_OPERATIONS, "PutRecord", "ListShards", "AddTagsToStream"]))
    body = bytearray(json.dumps(tree).encode() if codec is Codec.JSON else cbor2.dumps(tree))
    for _ in range(data.draw(st.integers(0, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(body)))
    take(operation, codec, bytes(body))
    take(operation, codec, bytes(body[:cut]))


@UNHURRIED
@given(
    method=st.sampled_from(["POST", "GET", ""]),
    path=st.text(max_size=80) | st.text(max_size=60).map(lambda text: f"/?X-Amz-Algorithm=a&X-Amz-Credential={text}"),
    target=st.none() | st.text() | st.just("Kinesis_20131202.PutRecord"),
    content_type=st.none() | st.text() | st.just("application/x-amz-json-1.1"),
    authorization=st.none()
    | st.text()
    | st.text().map(lambda text: f"AWS4-HMAC-SHA256 Credential={text}, Signature=a"),
)
def test_any_head(
    method: str, path: str, target: str | None, content_type: str | None, authorization: str | None
) -> None:
    headers = {"x-amz-target": target, "content-type": content_type, "authorization": authorization}
    try:
        account = parse_head(method, path, headers.get, request_id="id").account
    except Fault as fault:
        replies = [error_reply(fault, codec, "id") for codec in (*Codec, None)]
    else:
        replies = []
        assert len(account) == 12
    assert all(400 <= reply.status < 500 and reply.body for reply in replies)
