"""Putting what applications give, in the api process."""

from __future__ import annotations

from millstream.analytics.model import Application, ResourceKind
from millstream.firehose.service import FirehoseService
from millstream.server.applications.channel import Put, PutDone
from millstream.server.puts import Owner, ServicePuts
from millstream.streams import StreamsService


class Puts:
    """Puts an application's records into streams and delivery streams of its account and region."""

    def __init__(self, streams: StreamsService, firehose: FirehoseService) -> None:
        self._puts = ServicePuts(streams, firehose)

    async def put(self, application: Application, put: Put) -> PutDone:
        """What became of the records. Durable once this returns, but for those that failed."""
        owner = Owner(application.account, application.region)
        if put.kind is ResourceKind.STREAM:
            keys = [key.decode() for key in put.keys]
            result = await self._puts.into_stream(owner, put.arn, keys, put.data)
        else:
            result = await self._puts.into_delivery_stream(owner, put.arn, put.data)
        return PutDone(put.number, result.failed, result.code, result.message)
