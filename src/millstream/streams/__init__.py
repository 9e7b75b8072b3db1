"""Kinesis Data Streams: streams, shards, consumers, and the operations of their API.

Flows in: calls that the wire has decoded and validated. Flows out: replies, faults, event streams; records to and from
logs; streams to the catalog. Promises: a change is in the catalog before its caller is answered; a record is synced
before its put is; records of a shard, and of its children after it, are read in the order of their sequence numbers.
Imports the rooms below: base, wire, log, catalog, security.
"""

from millstream.streams.operations import operations_of
from millstream.streams.service import Settings, StreamsService

__all__ = ["Settings", "StreamsService", "operations_of"]
