"""What a ResourceARN names: a stream, or a consumer of one. Both bear tags and a policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from millstream.streams.arns import parse_consumer_arn, parse_stream_arn
from millstream.streams.checks import consumer_not_active, require_serving
from millstream.streams.model import Consumer, ConsumerStatus, Stream
from millstream.streams.registry import StreamHandle
from millstream.wire.context import CallContext
from millstream.wire.faults import ResourceNotFoundException

if TYPE_CHECKING:
    from millstream.streams.service import StreamsService


class Resource(NamedTuple):
    """A stream, or one of its consumers."""

    handle: StreamHandle
    consumer: Consumer | None

    @property
    def bearer(self) -> Stream | Consumer:
        """Where tags and policy are."""
        return self.consumer or self.handle.stream

    @property
    def named(self) -> str:
        """How messages name it."""
        stream = self.handle.stream
        if self.consumer is None:
            return f"stream {stream.name} under account {stream.account}"
        return f"consumer {self.consumer.name} under stream {stream.name} and account {stream.account}"

    def require_changeable(self) -> None:
        """Raises ResourceInUseException if its status allows no change."""
        require_serving(self.handle)
        if self.consumer is not None and self.consumer.status is not ConsumerStatus.ACTIVE:
            raise consumer_not_active(self.handle.stream, self.consumer)

    def save(self, service: StreamsService, **changes: Any) -> None:
        """Change its tags or policy, in the catalog first."""
        if self.consumer is None:
            service.registry.save(self.handle, **changes)
            return
        changed = replace(self.consumer, **changes)
        consumers = [changed if other is self.consumer else other for other in self.handle.stream.consumers]
        service.registry.save(self.handle, consumers=consumers)


def find_resource(service: StreamsService, context: CallContext, arn: str) -> Resource:
    """The resource with that ARN; raises as `StreamRegistry.find_by` does."""
    if parse_consumer_arn(arn) is not None:
        return Resource(*service.registry.find_consumer(context, arn))
    if parse_stream_arn(arn) is None:
        raise ResourceNotFoundException(f"Resource {arn} under account {context.account} not found.")
    return Resource(service.registry.find_by(context.account, context.region, arn=arn), None)
