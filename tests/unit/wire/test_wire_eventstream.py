"""Event streams as botocore reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import pytest
from botocore.eventstream import EventStream, EventStreamBuffer
from botocore.exceptions import EventStreamError
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import create_parser

from millstream.wire import eventstream, faults

MODEL: Any = ServiceModel(Loader().load_service_model("kinesis", "service-2"))


class RawStream:
    """The body of a reply, as botocore's HTTP client would hand it over."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces

    def stream(self) -> Iterator[bytes]:
        yield from self._pieces

    def close(self) -> None:
        pass


def subscription(messages: Iterable[bytes]) -> Any:
    output = MODEL.operation_model("SubscribeToShard").output_shape.members["EventStream"]
    parser: Any = create_parser("json")
    return EventStream(RawStream(messages), output, parser._event_stream_parser, "SubscribeToShard")


def test_subscription_is_read_by_botocore() -> None:
    record = {"SequenceNumber": "1", "Data": b"hi", "PartitionKey": "k", "ApproximateArrivalTimestamp": 1700000000.5}
    payload = msgspec.json.encode({"Records": [record], "ContinuationSequenceNumber": "2", "MillisBehindLatest": 0})
    stream = subscription([eventstream.initial_response(), eventstream.event("SubscribeToShardEvent", payload)])
    assert stream.get_initial_response().headers[":event-type"] == "initial-response"
    events: list[Any] = list(stream)
    event = events[0]["SubscribeToShardEvent"]
    assert len(events) == 1
    assert event["ContinuationSequenceNumber"] == "2"
    assert event["Records"][0]["Data"] == b"hi"
    assert event["Records"][0]["ApproximateArrivalTimestamp"].timestamp() == 1700000000.5


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (faults.ResourceInUseException("taken over"), "ResourceInUseException"),
        (faults.InternalFailure("disk"), "InternalFailureException"),
    ],
)
def test_fault_that_ends_a_subscription_is_raised_by_botocore(fault: faults.Fault, code: str) -> None:
    stream = subscription([eventstream.initial_response(), eventstream.exception(fault)])
    stream.get_initial_response()
    with pytest.raises(EventStreamError) as caught:
        list(stream)
    assert caught.value.response["Error"] == {"Code": code, "Message": fault.message}


def test_messages_name_the_type_of_their_payload() -> None:
    buffer: Any = EventStreamBuffer()
    buffer.add_data(eventstream.event("SubscribeToShardEvent", b"{}"))
    (message,) = buffer
    assert message.headers == {
        ":event-type": "SubscribeToShardEvent",
        ":content-type": "application/x-amz-json-1.1",
        ":message-type": "event",
    }
