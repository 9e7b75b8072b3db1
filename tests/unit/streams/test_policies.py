"""Resource policies: put, get, delete."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.control_plane import ACCOUNT, ControlPlane

ARN = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/orders"
STATEMENT: dict[str, Any] = {
    "Effect": "Allow",
    "Principal": {"AWS": "210987654321"},
    "Action": ["kinesis:PutRecord", "kinesis:DescribeStreamSummary"],
    "Resource": ARN,
}


def policy_of(statement: Any, version: str = "2012-10-17") -> str:
    """A policy document."""
    return json.dumps({"Version": version, "Statement": statement})


async def test_put_get_delete(plane: ControlPlane) -> None:
    await plane.create()
    assert await plane.call("GetResourcePolicy", ResourceARN=ARN) == {}
    for policy in (
        policy_of(STATEMENT),
        policy_of([STATEMENT, {**STATEMENT, "Effect": "Deny", "Action": "kinesis:*"}]),
    ):
        await plane.call("PutResourcePolicy", ResourceARN=ARN, Policy=policy)
        assert await plane.call("GetResourcePolicy", ResourceARN=ARN) == {"Policy": policy}
    await plane.call("DeleteResourcePolicy", ResourceARN=ARN)
    assert await plane.call("GetResourcePolicy", ResourceARN=ARN) == {}


@pytest.mark.parametrize(
    "policy",
    [
        "",
        "not JSON",
        "[]",
        "{}",
        "[" * 10_000,
        '{"Statement": 7}',
        '{"Statement": []}',
        '{"Statement": ["x"]}',
        policy_of(STATEMENT, version="2020-01-01"),
        policy_of({**STATEMENT, "Effect": "Maybe"}),
        policy_of({**STATEMENT, "Action": "s3:GetObject"}),
        policy_of({**STATEMENT, "Action": 5}),
        policy_of({key: value for key, value in STATEMENT.items() if key != "Principal"}),
        policy_of({key: value for key, value in STATEMENT.items() if key != "Action"}),
        policy_of({**STATEMENT, "Sid": "x" * 20_480}),
    ],
)
async def test_policies_that_are_none(plane: ControlPlane, policy: str) -> None:
    await plane.create()
    refused = await plane.refusal("PutResourcePolicy", ResourceARN=ARN, Policy=policy)
    assert refused.code == "InvalidArgumentException"
    assert await plane.call("GetResourcePolicy", ResourceARN=ARN) == {}


async def test_policies_of_consumers_are_their_own(plane: ControlPlane) -> None:
    await plane.create()
    created_ms = plane.clock.now_ms()
    reply = await plane.call("RegisterStreamConsumer", StreamARN=ARN, ConsumerName="reader")
    arn = reply["Consumer"]["ConsumerARN"]
    policy = policy_of({**STATEMENT, "Action": "kinesis:SubscribeToShard", "Resource": arn})
    assert await plane.refusal("PutResourcePolicy", ResourceARN=arn, Policy=policy) == (
        "ResourceInUseException",
        (
            f"Consumer reader with creation timestamp {created_ms // 1000} under stream orders and account {ACCOUNT} "
            "is not in ACTIVE status."
        ),
    )
    await plane.pass_ms(60)
    await plane.call("PutResourcePolicy", ResourceARN=arn, Policy=policy)
    assert await plane.call("GetResourcePolicy", ResourceARN=arn) == {"Policy": policy}
    assert await plane.call("GetResourcePolicy", ResourceARN=ARN) == {}
