"""Putting what log subscriptions give into the streams and delivery streams of this server."""

from __future__ import annotations

from millstream.firehose.service import FirehoseService
from millstream.logs.subscriptions import Destination, Kind, Outcome, Outgoing
from millstream.server.puts import Owner, ServicePuts
from millstream.streams import StreamsService


class SubscriptionPuts:
    """The `Destinations` of subscriptions."""

    def __init__(self, streams: StreamsService, firehose: FirehoseService) -> None:
        self._puts = ServicePuts(streams, firehose)

    async def put(self, destination: Destination, records: list[Outgoing]) -> Outcome:
        """See `Destinations.put`."""
        owner = Owner(destination.account, destination.region)
        data = [record.data for record in records]
        if destination.kind is Kind.STREAM:
            keys = [record.partition_key for record in records]
            return Outcome(*await self._puts.into_stream(owner, destination.arn, keys, data))
        return Outcome(*await self._puts.into_delivery_stream(owner, destination.arn, data))
