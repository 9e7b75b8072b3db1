"""What a live agent tells: Prometheus, `agent status`, CloudWatch, and with which credentials it asks to be heard."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from support.agentruns import AgentProcess
from support.commandline import CommandLine
from support.ports import free_port
from support.s3server import S3Server, moto_server
from support.server import Server
from support.waiting import wait_for

ROLE = "arn:aws:iam::210987654321:role/log-writer"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """moto, which has CloudWatch and STS as well as S3."""
    with moto_server(tmp_path_factory.mktemp("moto")) as server:
        yield server


def session(key: str, secret: str = "secret", token: str | None = None) -> boto3.Session:
    return boto3.Session(key, secret, token, "us-east-1")


def scraped(port: int) -> dict[str, float]:
    """The agent's metrics, without labels; nothing while it starts."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as reply:
            text = reply.read().decode()
    except urllib.error.URLError:
        return {}
    return {
        name: float(value) for name, value in re.findall(r"^millstream_agent_(\w+)\{.*\} (\S+)$", text, re.MULTILINE)
    }


def test_a_running_agent_is_seen(
    server: Server, account: str, stream: str, tmp_path: Path, command: CommandLine
) -> None:
    log = tmp_path / "app.log"
    log.write_bytes(b"one\ntwo\n")
    port = free_port()
    flows = [{"filePattern": str(log), "kinesisStream": stream}]
    agent = AgentProcess(tmp_path / "agent", server.url, flows, account=account, options=["--metrics-port", str(port)])
    try:
        agent.start()
        wait_for(lambda: scraped(port).get("acknowledged_bytes_total") == 8, "the acknowledged bytes")
        assert scraped(port)["sent_records_total"] == 2
        wait_for(lambda: agent.done_bytes() == 8, "the checkpoint")
        shown = command("agent", "status", "--state", str(agent.state)).stdout
        assert shown.startswith("running, process ")
        assert f"  {log}: 8 of 8 bytes done\n" in shown
        assert agent.terminate() == 0
    finally:
        agent.close()
    shown = command("agent", "status", "--state", str(agent.state)).stdout
    assert shown.startswith("stopped, ")
    assert f"to KinesisStream:{stream}; 1 file, 2 records read (8 B), 2 delivered, 0 rejected" in shown


def test_cloudwatch_is_told_in_the_name_of_a_role(
    server: Server, aws: S3Server, stream: str, account: str, tmp_path: Path
) -> None:
    log = tmp_path / "app.log"
    settings = {
        "cloudwatch": {"emitMetrics": True, "endpoint": aws.url, "namespace": stream, "metricsBufferTimeMillis": 100},
        "sts.endpoint": aws.url,
        "awsAccessKeyId": account,
        "awsSecretAccessKey": "secret",
        "assumeRoleARN": ROLE,
    }
    agent = AgentProcess(
        tmp_path / "agent", server.url, [{"filePattern": str(log), "deliveryStream": "none"}], settings=settings
    )
    role = session(account).client("sts", endpoint_url=aws.url).assume_role(RoleArn=ROLE, RoleSessionName="test")
    keys = role["Credentials"]  # moto keeps the metrics of each account by themselves
    reader = session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    cloudwatch = reader.client("cloudwatch", endpoint_url=aws.url)
    try:
        agent.start()
        found = wait_for(lambda: cloudwatch.list_metrics(Namespace=stream)["Metrics"], "metrics", interval_s=0.2)
    finally:
        agent.close()
    names = ("BytesSent", "RecordsSent", "RecordSendAttempts", "RecordSendErrors", "ServiceErrors")
    metrics = {(metric["MetricName"], metric["Dimensions"][0]["Value"]) for metric in found}
    assert metrics == {(name, "DeliveryStream:none") for name in names}
