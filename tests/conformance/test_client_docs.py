"""The examples of docs/client.md, as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.clients import client
from support.kinesis import Kinesis, create_stream
from support.waiting import wait_for

if TYPE_CHECKING:
    from support.server import Server

EXAMPLES = re.findall(
    r"```python\n(.*?)```", Path(__file__).parents[2].joinpath("docs/client.md").read_text(), re.DOTALL
)


@pytest.fixture
def delivery_stream(server: Server, account: str) -> None:
    """Where the last example puts its record."""
    firehose = client("firehose", server.url, account, "us-east-1")
    name = "clicks-to-lake"
    target = {"BucketARN": "arn:aws:s3:::lake", "RoleARN": "arn:aws:iam::000000000000:role/r"}
    firehose.create_delivery_stream(DeliveryStreamName=name, ExtendedS3DestinationConfiguration=target)

    def active() -> bool:
        described = firehose.describe_delivery_stream(DeliveryStreamName=name)
        return bool(described["DeliveryStreamDescription"]["DeliveryStreamStatus"] == "ACTIVE")

    wait_for(active, "the delivery stream")


@pytest.mark.usefixtures("delivery_stream")
def test_the_examples_do_what_they_say(kinesis: Kinesis, environment: dict[str, str]) -> None:
    create_stream(kinesis, 2, StreamName="clicks")
    said = [_run(example, environment) for example in EXAMPLES]
    assert said[:3] == ["", "1000\n", "stored\n"]
    assert re.fullmatch(r"(shardId-00000000000[01] \d+\n){2,}enough\n", said[3])
    assert said[4:] == ["taken\n"]


def _run(example: str, environment: dict[str, str]) -> str:
    command = [sys.executable, "-W", "error", "-c", example]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
