"""Requests of the hot path as structs, decoded without a detour through dicts. Fields are the members of the shapes."""

from __future__ import annotations

import msgspec


class PutRecordInput(msgspec.Struct, gc=False):
    """PutRecordInput."""

    Data: bytes
    StreamName: str | None = None
    PartitionKey: str | None = None
    ExplicitHashKey: str | None = None
    SequenceNumberForOrdering: str | None = None
    StreamARN: str | None = None
    StreamId: str | None = None
    DryRun: bool | None = None


class PutRecordsRequestEntry(msgspec.Struct, gc=False):
    """PutRecordsRequestEntry."""

    Data: bytes
    PartitionKey: str | None = None
    ExplicitHashKey: str | None = None


class PutRecordsInput(msgspec.Struct, gc=False):
    """PutRecordsInput."""

    Records: list[PutRecordsRequestEntry]
    StreamName: str | None = None
    StreamARN: str | None = None
    StreamId: str | None = None
    DryRun: bool | None = None


class GetRecordsInput(msgspec.Struct, gc=False):
    """GetRecordsInput."""

    ShardIterator: str
    Limit: int | None = None
    StreamARN: str | None = None
    StreamId: str | None = None
    DryRun: bool | None = None
