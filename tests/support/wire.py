"""Kinesis's wire format for tests: the service with every operation of the model, requests as structs, shortcuts."""

from __future__ import annotations

import json
from typing import Any

import cbor2
import msgspec
import pytest

from millstream.wire import CallContext, Codec, Fault, Operation, Service
from millstream.wire.model import load_model


def _unused(context: CallContext, params: Any) -> None:
    raise AssertionError("the wire calls no handler")


KINESIS = load_model("kinesis")
SERVICE = Service("kinesis", {name: Operation(name, _unused) for name in KINESIS.operations})


class Entry(msgspec.Struct, gc=False):
    """PutRecordsRequestEntry, as a handler that wants structs declares it."""

    Data: bytes
    ExplicitHashKey: str | None = None
    PartitionKey: str | None = None


class Put(msgspec.Struct, gc=False):
    """PutRecordsInput."""

    Records: list[Entry]
    StreamName: str | None = None
    StreamARN: str | None = None
    StreamId: str | None = None
    DryRun: bool | None = None


class Get(msgspec.Struct):
    """GetRecordsInput."""

    ShardIterator: str
    Limit: int | None = None
    StreamARN: str | None = None
    StreamId: str | None = None
    DryRun: bool | None = None


TYPED = Service(
    "kinesis",
    {"PutRecords": Operation("PutRecords", _unused, Put), "GetRecords": Operation("GetRecords", _unused, Get)},
)


def to_bytes(codec: Codec, tree: Any) -> bytes:
    """A tree encoded as a client would."""
    return json.dumps(tree).encode() if codec is Codec.JSON else cbor2.dumps(tree)


def decode(operation: str, tree: Any, codec: Codec = Codec.JSON, service: Service = SERVICE) -> Any:
    """The parameters that a handler gets for a body that encodes `tree`."""
    return service.decode(service.find(operation), codec, to_bytes(codec, tree))


def fault_of(operation: str, tree: Any, codec: Codec = Codec.JSON, service: Service = SERVICE) -> Fault:
    """The fault that a body that encodes `tree` is answered with."""
    with pytest.raises(Fault) as caught:
        decode(operation, tree, codec, service)
    return caught.value
