"""Operations whose handlers take structs: the same promises as for dicts."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from millstream.wire import Codec, Operation, Service
from support.wire import TYPED, Entry, Get, Put, decode, fault_of


@pytest.mark.parametrize("codec", Codec)
def test_request_becomes_the_handlers_struct(codec: Codec) -> None:
    data: Any = "aGk=" if codec is Codec.JSON else b"hi"
    tree = {"StreamName": "s", "Records": [{"Data": data, "PartitionKey": "k", "ExplicitHashKey": "0"}], "Unknown": 1}
    put = decode("PutRecords", tree, codec, TYPED)
    assert isinstance(put, Put)
    assert put.StreamName == "s"
    (entry,) = put.Records
    assert isinstance(entry, Entry)
    assert (entry.Data, entry.PartitionKey, entry.ExplicitHashKey) == (b"hi", "k", "0")


@pytest.mark.parametrize("codec", Codec)
def test_unusual_but_legal_requests_are_taken(codec: Codec) -> None:
    tree = {"ShardIterator": "i", "Limit": 2.9, "DryRun": "yes", "StreamARN": None}
    assert decode("GetRecords", tree, codec, TYPED) == Get(ShardIterator="i", Limit=2, DryRun=True)


@pytest.mark.parametrize("codec", Codec)
@pytest.mark.parametrize(
    "tree",
    [
        {},
        {"Records": []},
        {"Records": [{}]},
        {"Records": [None]},
        {"Records": None},
        {"Records": [{"Data": "AA=="}] * 501},
        {"Records": [{"Data": "AA==", "PartitionKey": ""}]},
        {"Records": [{"Data": "AA==", "PartitionKey": "k" * 257}]},
        {"Records": [{"Data": "AA==", "ExplicitHashKey": "01"}]},
        {"Records": [{"Data": "AA==", "ExplicitHashKey": "1\n"}]},
        {"Records": [{"Data": "AA==", "ExplicitHashKey": "1" * 40}]},
        {"Records": [{"Data": "AA==", "ExplicitHashKey": "1٣"}]},
        {"Records": [{"Data": "A"}]},
        {"Records": [{"Data": 5}]},
        {"Records": [{"Data": "AA=="}], "StreamName": "a b"},
        {"Records": [{"Data": "AA=="}], "StreamARN": "arn"},
        {"Records": [{"Data": "AA=="}], "DryRun": 1},
        [],
        5,
    ],
    ids=lambda tree: repr(tree)[:60],
)
def test_what_is_refused_is_refused_in_the_same_words(codec: Codec, tree: Any) -> None:
    assert fault_of("PutRecords", tree, codec, TYPED).document() == fault_of("PutRecords", tree, codec).document()


class Incomplete(msgspec.Struct):
    ShardIterator: str


class Misspelt(msgspec.Struct):
    ShardIterater: str
    Limit: int | None = None
    StreamARN: str | None = None
    StreamId: str | None = None
    DryRun: bool | None = None


class WrongType(msgspec.Struct):
    ShardIterator: str
    Limit: str | None = None
    StreamARN: str | None = None
    StreamId: str | None = None
    DryRun: bool | None = None


class Optional(msgspec.Struct):
    ShardIterator: str | None = None
    Limit: int | None = None
    StreamARN: str | None = None
    StreamId: str | None = None
    DryRun: bool | None = None


@pytest.mark.parametrize("request_type", [Incomplete, Misspelt, WrongType, Optional])
def test_struct_that_does_not_fit_the_model_is_refused_at_start(request_type: type[msgspec.Struct]) -> None:
    with pytest.raises(TypeError, match=r"GetRecordsInput|shape GetRecordsInputLimit"):
        Service("kinesis", {"GetRecords": Operation("GetRecords", lambda context, params: None, request_type)})
