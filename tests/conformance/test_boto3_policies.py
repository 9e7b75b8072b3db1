"""Resource policies: PutResourcePolicy, GetResourcePolicy, DeleteResourcePolicy."""

from __future__ import annotations

import json

import pytest

from support.kinesis import Kinesis, refusal, register_consumer, stream_summary


def policy_for(arn: str, account: str) -> str:
    """A policy that lets an account read."""
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "read",
                    "Effect": "Allow",
                    "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
                    "Action": ["kinesis:DescribeStreamSummary", "kinesis:GetRecords"],
                    "Resource": arn,
                }
            ],
        }
    )


def test_put_get_delete(kinesis: Kinesis, stream: str) -> None:
    arn = stream_summary(kinesis, stream)["StreamARN"]
    assert kinesis.get_resource_policy(ResourceARN=arn).get("Policy") is None
    policy = policy_for(arn, "111122223333")
    kinesis.put_resource_policy(ResourceARN=arn, Policy=policy)
    assert json.loads(kinesis.get_resource_policy(ResourceARN=arn)["Policy"]) == json.loads(policy)
    other = policy_for(arn, "444455556666")
    kinesis.put_resource_policy(ResourceARN=arn, Policy=other)
    assert json.loads(kinesis.get_resource_policy(ResourceARN=arn)["Policy"]) == json.loads(other)
    kinesis.delete_resource_policy(ResourceARN=arn)
    assert kinesis.get_resource_policy(ResourceARN=arn).get("Policy") is None


def test_policies_of_consumers(kinesis: Kinesis, stream: str) -> None:
    arn = stream_summary(kinesis, stream)["StreamARN"]
    consumer = register_consumer(kinesis, arn)
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "111122223333"},
        "Action": "kinesis:SubscribeToShard",
        "Resource": consumer,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    kinesis.put_resource_policy(ResourceARN=consumer, Policy=policy)
    assert json.loads(kinesis.get_resource_policy(ResourceARN=consumer)["Policy"]) == json.loads(policy)
    assert kinesis.get_resource_policy(ResourceARN=arn).get("Policy") is None


@pytest.mark.parametrize("policy", ["", "not JSON", "[]", '{"Version": "2012-10-17"}', '{"Statement": 7}'])
def test_policies_that_are_none(kinesis: Kinesis, stream: str, policy: str) -> None:
    arn = stream_summary(kinesis, stream)["StreamARN"]
    refused = refusal(kinesis.put_resource_policy, ResourceARN=arn, Policy=policy)
    assert refused.code in {"InvalidArgumentException", "ValidationException"}
    assert kinesis.get_resource_policy(ResourceARN=arn).get("Policy") is None


def test_policies_of_nothing(kinesis: Kinesis, stream: str) -> None:
    nowhere = stream_summary(kinesis, stream)["StreamARN"] + "-not"
    policy = policy_for(nowhere, "111122223333")
    assert refusal(kinesis.get_resource_policy, ResourceARN=nowhere).code == "ResourceNotFoundException"
    assert refusal(kinesis.delete_resource_policy, ResourceARN=nowhere).code == "ResourceNotFoundException"
    refused = refusal(kinesis.put_resource_policy, ResourceARN=nowhere, Policy=policy)
    assert refused.code == "ResourceNotFoundException"


def test_arns_that_are_none(kinesis: Kinesis) -> None:
    refused = refusal(kinesis.get_resource_policy, ResourceARN="nonsense")
    assert refused[:2] == (
        "ValidationException",
        (
            "1 validation error detected: Value 'nonsense' at 'resourceARN' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: arn:aws.*:kinesis:.*:\\d{12}:.*(stream|channel|queue)/\\S+"
        ),
    )
