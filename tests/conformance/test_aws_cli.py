"""The AWS CLI, unmodified, by `--endpoint-url` and by AWS_ENDPOINT_URL."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.kinesis import new_name, shard_id
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.server import Server

AWS = Path(sys.executable).with_name("aws")


def run_aws(server: Server, account: str, *arguments: str, by_option: bool = False) -> Any:
    """Run `aws kinesis ARGUMENTS…`; returns its JSON output, or None without output."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.devnull,
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    options = ["--endpoint-url", server.url] if by_option else []
    if not by_option:
        environment["AWS_ENDPOINT_URL"] = server.url
    done = subprocess.run(
        [sys.executable, str(AWS), *options, "kinesis", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
    )
    if done.returncode:
        raise AssertionError(f"aws kinesis {' '.join(arguments)}: {done.stderr}")
    return json.loads(done.stdout) if done.stdout.strip() else None


@pytest.fixture
def aws(server: Server, account: str) -> Callable[..., Any]:
    """`aws("list-streams", "--limit", "5")`."""

    def running(*arguments: str, by_option: bool = False) -> Any:
        return run_aws(server, account, *arguments, by_option=by_option)

    return running


def test_a_day_with_the_command_line(aws: Callable[..., Any], account: str) -> None:
    name = new_name("cli")
    of_stream = ("--stream-name", name)
    aws("create-stream", *of_stream, "--shard-count", "1", by_option=True)
    aws("wait", "stream-exists", *of_stream)
    assert aws("list-streams")["StreamNames"] == [name]

    put = aws("put-record", *of_stream, "--partition-key", "k", "--data", "hello")
    assert put["ShardId"] == shard_id(0)
    records = [{"Data": "hello", "PartitionKey": f"k{i}"} for i in range(3)]
    assert aws("put-records", *of_stream, "--records", json.dumps(records))["FailedRecordCount"] == 0

    where = ("--shard-id", shard_id(0), "--shard-iterator-type", "TRIM_HORIZON")
    start = aws("get-shard-iterator", *of_stream, *where)["ShardIterator"]
    page = aws("get-records", "--shard-iterator", start, by_option=True)
    assert [base64.b64decode(record["Data"]) for record in page["Records"]] == [b"hello"] * 4
    assert page["Records"][0]["SequenceNumber"] == put["SequenceNumber"]

    summary = aws("describe-stream-summary", *of_stream)["StreamDescriptionSummary"]
    assert summary["StreamARN"] == f"arn:aws:kinesis:eu-central-1:{account}:stream/{name}"

    middle = str(2**127)
    aws("split-shard", *of_stream, "--shard-to-split", shard_id(0), "--new-starting-hash-key", middle)
    aws("wait", "stream-exists", *of_stream)
    assert len(aws("list-shards", *of_stream)["Shards"]) == 3

    arn = ("--stream-arn", summary["StreamARN"])
    consumer = aws("register-stream-consumer", *arn, "--consumer-name", "reader")["Consumer"]
    assert consumer["ConsumerARN"].startswith(summary["StreamARN"] + "/consumer/reader:")

    aws("delete-stream", *of_stream, "--enforce-consumer-deletion")
    wait_for(lambda: aws("list-streams")["StreamNames"] == [], "the stream to be deleted")


def test_errors_are_told(aws: Callable[..., Any], account: str) -> None:
    with pytest.raises(AssertionError) as caught:
        aws("describe-stream-summary", "--stream-name", "nowhere")
    assert (
        "An error occurred (ResourceNotFoundException) when calling the DescribeStreamSummary operation: "
        f"Stream nowhere under account {account} not found."
    ) in str(caught.value)
