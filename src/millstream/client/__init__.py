"""Client: Kinesis for Python programs, on Millstream and on AWS. Typed, asynchronous, no DynamoDB needed.

Flows in: records to put, stream names. Flows out: batches of records, checkpoints. Speaks only the public API, so that
whatever is built on it (the agent, the connectors, users' programs) works against AWS, too. Imports base and wire.

    async for batch in consume("clicks", group="billing"):      all workers of a group share the stream's shards
        for record in batch.records: …

    async with Producer("clicks") as producer:
        await producer.put(b"…", "partition key")

`docs/client.md` tells the rest. The names below are what programs use; each is loaded when it is first asked for,
because the HTTP client takes long to load and not everybody who imports from this package will call anything.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from millstream.client.consumer import Consumer, consume
    from millstream.client.errors import CallError, ClientError, ConfigurationError, Unreachable
    from millstream.client.lane import Batch, LeaseLost
    from millstream.client.leases import Lease, LeaseStore, MemoryLeases
    from millstream.client.leasestores import DynamoDBLeases, MillstreamLeases
    from millstream.client.producer import Producer, Receipt, RecordTooLarge
    from millstream.client.records import Record
    from millstream.wire.sigv4 import Credentials

_MODULES = {
    "Batch": "millstream.client.lane",
    "CallError": "millstream.client.errors",
    "ClientError": "millstream.client.errors",
    "ConfigurationError": "millstream.client.errors",
    "Consumer": "millstream.client.consumer",
    "Credentials": "millstream.wire.sigv4",
    "DynamoDBLeases": "millstream.client.leasestores",
    "Lease": "millstream.client.leases",
    "LeaseLost": "millstream.client.lane",
    "LeaseStore": "millstream.client.leases",
    "MemoryLeases": "millstream.client.leases",
    "MillstreamLeases": "millstream.client.leasestores",
    "Producer": "millstream.client.producer",
    "Receipt": "millstream.client.producer",
    "Record": "millstream.client.records",
    "RecordTooLarge": "millstream.client.producer",
    "Unreachable": "millstream.client.errors",
    "consume": "millstream.client.consumer",
}

__all__ = [
    "Batch",
    "CallError",
    "ClientError",
    "ConfigurationError",
    "Consumer",
    "Credentials",
    "DynamoDBLeases",
    "Lease",
    "LeaseLost",
    "LeaseStore",
    "MemoryLeases",
    "MillstreamLeases",
    "Producer",
    "Receipt",
    "Record",
    "RecordTooLarge",
    "Unreachable",
    "consume",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
