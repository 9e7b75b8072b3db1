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
    from collections.abc import Iterator

    from support.server import Server

AWS = Path(sys.executable).with_name("aws")

# One interpreter for all commands of a test: starting the AWS CLI costs four times what a command does. Each line in is
# a command's arguments and has one line out: exit code, standard output, standard error.
SHELL = """
import contextlib, io, json, sys
from awscli.clidriver import create_clidriver
for line in sys.stdin:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = create_clidriver().main(json.loads(line))
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
"""


class Aws:
    """`aws("list-streams", "--limit", "5")`: runs `aws kinesis …`; its JSON output, or None without output."""

    def __init__(self, shell: subprocess.Popen[str], url: str) -> None:
        self._shell = shell
        self._url = url

    def __call__(self, *arguments: str, by_option: bool = False) -> Any:
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        options = ["--endpoint-url", self._url] if by_option else []
        print(json.dumps([*options, "kinesis", *arguments]), file=self._shell.stdin, flush=True)
        code, stdout, stderr = json.loads(self._shell.stdout.readline())
        if code:
            raise AssertionError(f"aws kinesis {' '.join(arguments)}: {stderr}")
        return json.loads(stdout) if stdout.strip() else None


def _environment(account: str, **more: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.devnull,
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        **more,
    }


@pytest.fixture
def aws(server: Server, account: str) -> Iterator[Aws]:
    """Commands against the server, in one interpreter."""
    shell = subprocess.Popen(
        [sys.executable, "-c", SHELL],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=_environment(account, AWS_ENDPOINT_URL=server.url),
    )
    with shell:
        yield Aws(shell, server.url)


def test_a_day_with_the_command_line(aws: Aws, account: str) -> None:
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


def test_errors_are_told_by_the_command_as_it_is_installed(server: Server, account: str) -> None:
    done = subprocess.run(
        [
            sys.executable,
            AWS,
            "--endpoint-url",
            server.url,
            "kinesis",
            "describe-stream-summary",
            "--stream-name",
            "no",
        ],
        capture_output=True,
        text=True,
        env=_environment(account),
        timeout=60,
    )
    assert done.returncode
    assert (
        "An error occurred (ResourceNotFoundException) when calling the DescribeStreamSummary operation: "
        f"Stream no under account {account} not found."
    ) in done.stderr
