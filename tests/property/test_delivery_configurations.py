"""Configurations of delivery streams made up from the service model: each is refused, or can be worked by."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millstream.firehose.configuration import parse
from millstream.firehose.operations.destinations import secret_opener
from millstream.wire import Fault
from millstream.wire.model import ServiceModel, load_model
from support.configurations import DESTINATION_ID, LEAST
from support.delivery_plane import DeliveryPlane

MODEL: ServiceModel = load_model("firehose")
KINDS = sorted(LEAST)

TEXTS = [
    "",
    "a",
    "Orders",
    "json 'auto'",
    "gzip",
    "!{timestamp:yyyy}/!{firehose:error-output-type}/",
    "!{partitionKeyFromQuery:a}/",
    "{a: .a}",
    "JQ-1.6",
    "GZIP",
    "0.5",
    "60",
    "JSON",
    "UTC",
    "Asia/Tokyo",
    ".log",
    "arn:aws:iam::123456789012:role/r",
    "arn:aws:s3:::lake",
    "arn:aws:lambda:us-east-1:123456789012:function:f",
    "https://example.com",
    "http://localhost:1",
    "duckdb:",
]


def values(name: str) -> st.SearchStrategy[Any]:
    """Values of a shape, most of them valid."""
    shape = MODEL.shapes[name]
    if shape.enum is not None:
        return st.sampled_from(shape.enum)
    if shape.type == "structure":
        members = {member: values(ref.shape) for member, ref in shape.members.items()}
        required = {member: members[member] for member in shape.required}
        optional = {member: members[member] for member in members if member not in required}
        return st.fixed_dictionaries(required, optional=optional)
    if shape.type == "list":
        assert shape.member is not None
        return st.lists(values(shape.member.shape), max_size=3)
    if shape.type == "map":
        return st.dictionaries(st.sampled_from(TEXTS), st.sampled_from(TEXTS), max_size=2)
    if shape.type == "boolean":
        return st.booleans()
    if shape.type in ("integer", "double"):
        return st.integers(int(shape.min or 0), int(shape.max or 2**31))
    return st.sampled_from(TEXTS)


def changes(suffix: str, kind: str) -> st.SearchStrategy[dict[str, Any]]:
    """Some members of a kind's configuration or update."""
    shape = MODEL.shapes[f"{kind}{suffix}"]
    members = {member: values(ref.shape) for member, ref in shape.members.items()}
    return st.fixed_dictionaries({}, optional=members)


async def _create_and_update(kind: str, members: dict[str, Any], updates: list[tuple[str, dict[str, Any]]]) -> bool:
    plane = DeliveryPlane()
    configuration: dict[str, Any] = {f"{kind}DestinationConfiguration": {**LEAST[kind], **members}}
    try:
        await plane.call("CreateDeliveryStream", DeliveryStreamName="ticks", **configuration)
    except Fault:
        assert not list(plane.service.registry)
        return False
    await plane.pass_ms(60)
    (handle,) = plane.service.registry
    for other, update in updates:
        params: dict[str, Any] = {
            "DeliveryStreamName": "ticks",
            "CurrentDeliveryStreamVersionId": str(handle.stream.version),
            "DestinationId": DESTINATION_ID,
            f"{other}DestinationUpdate": update,
        }
        before = handle.stream
        try:
            await plane.call("UpdateDestination", **params)
        except Fault:
            assert handle.stream is before
    await plane.call("DescribeDeliveryStream", DeliveryStreamName="ticks")
    parse(handle.stream.destination, secret_opener(plane.service))
    return True


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_whatever_is_configured_is_refused_or_can_be_worked_by(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(KINDS))
    members = data.draw(changes("DestinationConfiguration", kind))
    updates = []
    for _ in range(2):
        other = data.draw(st.sampled_from(KINDS))
        updates.append((other, data.draw(changes("DestinationUpdate", other))))
    asyncio.run(_create_and_update(kind, members, updates))
