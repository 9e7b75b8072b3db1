"""Flushing deliveries and being told of their failures, by operations of Millstream's own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from support.configurations import ROLE
from support.firehose import connect_firehose
from support.livedelivery import LiveDelivery
from support.waiting import wait_for

if TYPE_CHECKING:
    from support.server import Server


def test_what_was_just_created_can_be_flushed(server: Server) -> None:
    delivery = LiveDelivery(server)
    connect_firehose(server.url).create_delivery_stream(
        DeliveryStreamName=delivery.name, ExtendedS3DestinationConfiguration=delivery.s3()
    )
    assert delivery.call("FlushDeliveryStream") == {"Delivered": True, "WaitingBytes": 0}


def test_what_was_just_put_into_a_new_one_is_flushed_by_one_call(server: Server) -> None:
    delivery = LiveDelivery(server)
    delivery.create(ExtendedS3DestinationConfiguration=delivery.s3())
    delivery.put(b"a", b"b")
    assert delivery.call("FlushDeliveryStream", TimeoutMs=30_000) == {"Delivered": True, "WaitingBytes": 0}
    assert list(delivery.objects().values()) == [b"ab"]


def test_a_domain_of_which_no_endpoint_is_known_is_told_of_and_mended_by_an_update(server: Server) -> None:
    delivery = LiveDelivery(server)
    arn = "arn:aws:es:us-east-1:000000000000:domain/orders"
    delivery.to("Elasticsearch", DomainARN=arn, IndexName="orders", RetryOptions={"DurationInSeconds": 0})
    delivery.put(b"{}")
    delivery.flush_until(delivery.error_codes, "an error to be told")
    assert delivery.error_codes()[0] == "ES.ResourceNotFound"
    assert f"No endpoint is known for the domain {arn}: give the delivery stream the ClusterEndpoint" in json.dumps(
        delivery.call("GetDeliveryErrors")
    )
    assert wait_for(lambda: delivery.counters().get("LastErrorMessage"), "the last error").startswith("ES.Resource")
    assert delivery.counters()["WaitingBytes"] > 0

    firehose = connect_firehose(server.url)
    firehose.update_destination(
        DeliveryStreamName=delivery.name,
        CurrentDeliveryStreamVersionId="1",
        DestinationId="destinationId-000000000001",
        ElasticsearchDestinationUpdate={"ClusterEndpoint": "http://127.0.0.1:1", "RoleARN": ROLE},
    )
    delivery.flush(timeout_s=60)
    (line,) = delivery.lines("elasticsearch-failed")
    assert line["errorCode"] == "ConnectionFailed"
