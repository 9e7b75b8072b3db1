"""What a client encodes by the model is what the handler gets; what the handler answers is what the client gets."""

from __future__ import annotations

import json
from base64 import b64encode
from functools import cache
from typing import Any

import cbor2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millstream.wire import Codec
from support.wire import KINESIS, SERVICE

FEW = settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
TIMES_MS = st.integers(0, 4_102_444_800_000)


@cache
def values(name: str) -> st.SearchStrategy[Any]:
    """Parameters or results of the shape `name` that keep its constraints, as handlers see them."""
    shape = KINESIS.shapes[name]
    least, most = int(shape.min or 0), shape.max
    match shape.type:
        case "structure":
            members = {member: values(ref.shape) for member, ref in shape.members.items()}
            required = {member: members.pop(member) for member in shape.required}
            return st.fixed_dictionaries(required, optional=members)
        case "list":
            assert shape.member is not None
            return st.lists(values(shape.member.shape), min_size=least, max_size=least + 2)
        case "map":
            assert shape.key is not None
            assert shape.value is not None
            return st.dictionaries(
                values(shape.key.shape), values(shape.value.shape), min_size=least, max_size=least + 2
            )
        case "blob":
            return st.binary(max_size=64)
        case "boolean":
            return st.booleans()
        case "timestamp":
            return TIMES_MS
        case "integer" | "long":
            return st.integers(least, int(most or 2**31 - 1))
    if shape.enum is not None:
        return st.sampled_from(shape.enum)
    if shape.pattern is not None:
        pattern = shape.pattern.replace(".*:", "[a-z0-9-]*:").replace(".*", "")  # the parts of ARNs hold no colon
        return st.from_regex(rf"(?a:\A(?:{pattern})\Z)").filter(lambda text: least <= len(text) <= (most or len(text)))
    return st.text(st.characters(codec="utf-8"), min_size=least, max_size=min(int(most or 64), 64))


def on_the_wire(name: str, value: Any, codec: Codec) -> Any:
    """The tree of a value, written from the protocol's definition."""
    shape = KINESIS.shapes[name]
    match shape.type, codec:
        case "structure", _:
            return {member: on_the_wire(shape.members[member].shape, inner, codec) for member, inner in value.items()}
        case "list", _:
            assert shape.member is not None
            return [on_the_wire(shape.member.shape, inner, codec) for inner in value]
        case "timestamp", Codec.JSON:
            return value / 1000
        case "timestamp", Codec.CBOR:
            return cbor2.CBORTag(1, value)
        case "blob", Codec.JSON:
            return b64encode(value).decode()
    return value


def load(codec: Codec, body: bytes) -> Any:
    """The tree of a reply, with timestamps as they are tagged."""
    if codec is Codec.JSON:
        return json.loads(body)
    return cbor2.loads(body, semantic_decoders={1: lambda value, _: cbor2.CBORTag(1, value)})


@pytest.mark.parametrize("codec", Codec)
@FEW
@given(data=st.data())
def test_requests(codec: Codec, data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from(sorted(KINESIS.operations)))
    shape = KINESIS.operations[operation].input.shape
    params = data.draw(values(shape))
    tree = on_the_wire(shape, params, codec)
    body = json.dumps(tree).encode() if codec is Codec.JSON else cbor2.dumps(tree)
    assert SERVICE.decode(SERVICE.find(operation), codec, body) == params


@pytest.mark.parametrize("codec", Codec)
@FEW
@given(data=st.data())
def test_replies(codec: Codec, data: st.DataObject) -> None:
    with_output = {name: ref.output.shape for name, ref in KINESIS.operations.items() if ref.output is not None}
    operation = data.draw(st.sampled_from(sorted(with_output.keys() - {"SubscribeToShard"})))
    result = data.draw(values(with_output[operation]))
    body = SERVICE.encode(SERVICE.find(operation), codec, result)
    assert load(codec, body) == on_the_wire(with_output[operation], result, codec)
