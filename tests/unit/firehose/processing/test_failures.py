"""The error output's lines."""

from __future__ import annotations

import json

from millstream.firehose.processing.failures import failure_line


def test_a_line_has_the_documented_members() -> None:
    line = failure_line("Lambda.FunctionError", "it failed", b"\x00raw", 1000, 4, ended_ms=9000, lambdaArn="arn:f")
    assert line.endswith(b"}\n")
    assert json.loads(line) == {
        "attemptsMade": 4,
        "arrivalTimestamp": 1000,
        "errorCode": "Lambda.FunctionError",
        "errorMessage": "it failed",
        "attemptEndingTimestamp": 9000,
        "rawData": "AHJhdw==",
        "lambdaArn": "arn:f",
    }


def test_a_line_of_a_chain_is_the_same_every_time() -> None:
    assert json.loads(failure_line("C", "m", b"", 1000, 1))["attemptEndingTimestamp"] == 1000


def test_a_message_that_quotes_a_whole_record_is_cut() -> None:
    assert len(failure_line("C", "m" * 1_000_000, b"", 1000, 1)) < 2000
