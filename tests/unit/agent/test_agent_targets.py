"""Where the agent's calls go and in whose name."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest

from millstream.agent.config import AgentConfig, FlowConfig
from millstream.agent.targets import cloudwatch_target, flow_target
from millstream.client.errors import CallError, ConfigurationError, Unreachable
from millstream.client.target import Target
from millstream.wire.sigv4 import Credentials
from support.httpendpoint import Peer, Reply, Request
from support.peerthread import peer_in_thread
from support.ports import free_port

STREAM = FlowConfig(file_pattern="/x", kinesis_stream="s")
DELIVERY = FlowConfig(file_pattern="/x", delivery_stream="d")
ROLE = "arn:aws:iam::123456789012:role/agent"
KEYS = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "secret"}
AWS_STREAMS = "https://kinesis.eu-west-1.amazonaws.com"
ENVIRONMENT = {"AWS_ENDPOINT_URL": "http://env:1", "AWS_REGION": "eu-north-1"}


def configured(**settings: str) -> AgentConfig:
    return AgentConfig(flows=(STREAM, DELIVERY), **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("flow", "settings", "environment", "endpoint", "region"),
    [
        (STREAM, {}, {}, "http://127.0.0.1:4566", "us-east-1"),
        (STREAM, {"kinesis_region": "eu-west-1"}, {}, "http://127.0.0.1:4566", "eu-west-1"),
        (STREAM, {}, ENVIRONMENT, "http://env:1", "eu-north-1"),
        (STREAM, {"kinesis_endpoint": "http://said:1"}, ENVIRONMENT, "http://said:1", "eu-north-1"),
        (STREAM, {"kinesis_endpoint": "kinesis.eu-west-1.amazonaws.com"}, {}, AWS_STREAMS, "eu-west-1"),
        (STREAM, {"kinesis_endpoint": AWS_STREAMS, "kinesis_region": "x"}, {}, AWS_STREAMS, "x"),
        (DELIVERY, {"kinesis_endpoint": "http://said:1"}, ENVIRONMENT, "http://env:1", "eu-north-1"),
        (DELIVERY, {"firehose_endpoint": "http://said:1", "kinesis_region": "x"}, {}, "http://said:1", "x"),
    ],
)
def test_what_the_configuration_says_comes_first(
    flow: FlowConfig, settings: dict[str, str], environment: dict[str, str], endpoint: str, region: str
) -> None:
    target = flow_target(configured(**settings), flow, environment)
    assert (target.endpoint, target.region) == (endpoint, region)


@pytest.mark.parametrize(
    ("settings", "environment", "endpoint", "region"),
    [
        ({}, {}, "http://127.0.0.1:4566", "us-east-1"),
        ({"kinesis_endpoint": "http://said:1"}, {}, "http://said:1", "us-east-1"),
        ({"kinesis_endpoint": AWS_STREAMS}, {}, "https://monitoring.eu-west-1.amazonaws.com", "eu-west-1"),
        ({}, {**ENVIRONMENT, "AWS_ENDPOINT_URL_CLOUDWATCH": "http://cw:1"}, "http://cw:1", "eu-north-1"),
        (
            {"cloudwatch_endpoint": "monitoring.us-west-2.amazonaws.com", "kinesis_endpoint": AWS_STREAMS},
            {},
            "https://monitoring.us-west-2.amazonaws.com",
            "us-west-2",
        ),
    ],
)
def test_metrics_go_where_the_records_go_unless_told(
    settings: dict[str, str], environment: dict[str, str], endpoint: str, region: str
) -> None:
    target = cloudwatch_target(configured(**settings), environment)
    assert (target.endpoint, target.region) == (endpoint, region)


def test_keys_of_the_configuration_come_before_the_environments() -> None:
    environment = {"AWS_ACCESS_KEY_ID": "other", "AWS_SECRET_ACCESS_KEY": "other"}
    target = flow_target(configured(**KEYS), STREAM, environment)
    assert target.credentials() == Credentials("AKIDEXAMPLE", "secret")
    assert flow_target(configured(), STREAM, environment).credentials() == Credentials("other", "other")


def test_no_role_is_assumed_for_a_platform_of_ones_own() -> None:
    target = flow_target(configured(**KEYS, assume_role_arn=ROLE), STREAM, {})
    assert target.credentials() == Credentials("AKIDEXAMPLE", "secret")


ASSUMED = Reply(
    body=b"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
      <AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>role-secret</SecretAccessKey><SessionToken>token</SessionToken>
      <Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>""",
    headers=(("Content-Type", "text/xml"),),
)
DENIED = Reply(
    403,
    b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>",
    (("Content-Type", "text/xml"),),
)


def role_target(peer: Peer, **settings: str) -> Target:
    config = configured(assume_role_arn=ROLE, sts_endpoint=peer.url, kinesis_endpoint=AWS_STREAMS, **settings)
    return flow_target(config, STREAM, {})


def test_a_role_is_assumed_once_with_the_keys_and_the_external_id() -> None:
    with peer_in_thread(lambda _: ASSUMED) as peer:
        target = role_target(peer, **KEYS, assume_role_external_id="outside")
        assert target.credentials() == target.credentials() == Credentials("ASIAROLE", "role-secret", "token")
    (request,) = peer.requests
    assert "Credential=AKIDEXAMPLE/" in request.headers["authorization"]
    assert "/eu-west-1/sts/" in request.headers["authorization"]
    said = parse_qs(request.body.decode())
    assert (said["RoleArn"], said["ExternalId"], said["Action"]) == ([ROLE], ["outside"], ["AssumeRole"])


def test_a_role_that_may_not_be_assumed_is_a_call_error() -> None:
    def answer(request: Request) -> Reply:
        return DENIED

    with (
        peer_in_thread(answer) as peer,
        pytest.raises(CallError, match=r"AssumeRole: not you \(AccessDenied\)") as raised,
    ):
        role_target(peer, **KEYS).credentials()
    assert not raised.value.is_passing


def test_a_service_of_roles_that_is_away_may_come_back() -> None:
    config = configured(**KEYS, assume_role_arn=ROLE, sts_endpoint=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Unreachable, match="AssumeRole arn:aws:iam::123456789012:role/agent: "):
        flow_target(config, STREAM, {}).credentials()


def test_a_role_needs_somebody_who_assumes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    config = configured(assume_role_arn=ROLE, sts_endpoint="http://127.0.0.1:1")
    with pytest.raises(ConfigurationError, match="no credentials to assume arn:aws"):
        flow_target(config, STREAM, {}).credentials()
