"""Where a group's leases are kept: in Millstream itself, or in DynamoDB where the stream is AWS's."""

from __future__ import annotations

from millstream.client.leases import LeaseStore
from millstream.client.leasestores.dynamodb import DynamoDBLeases
from millstream.client.leasestores.millstream import MillstreamLeases
from millstream.client.target import DYNAMODB, MILLSTREAM, Target, find_target
from millstream.client.transport import Connection


def store_for(target: Target, stream: str, group: str) -> LeaseStore:
    """The leases of `group` for a stream that is at `target`. Raises ConfigurationError."""
    if not target.is_aws:
        return MillstreamLeases(Connection(MILLSTREAM, target), stream, group)
    there = find_target(DYNAMODB, region=target.region, credentials=target.credentials, default_endpoint=None)
    return DynamoDBLeases(Connection(DYNAMODB, there), group)


__all__ = ["DynamoDBLeases", "MillstreamLeases", "store_for"]
