"""Requests of the hot path as structs, decoded without a detour through dicts. Fields are the members of the shapes."""

from __future__ import annotations

import msgspec


class Record(msgspec.Struct, gc=False):
    """Record."""

    Data: bytes


class PutRecordInput(msgspec.Struct, gc=False):
    """PutRecordInput."""

    DeliveryStreamName: str
    Record: Record


class PutRecordBatchInput(msgspec.Struct, gc=False):
    """PutRecordBatchInput."""

    DeliveryStreamName: str
    Records: list[Record]
