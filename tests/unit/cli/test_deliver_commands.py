"""What `millstream deliver` shows, and what it says when something is not as it should be."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from millstream.cli import client as client_module
from millstream.cli import deliver_manage, main
from millstream.cli.deliver_watch import age_text, error_line, size_text

NOW_S = 1_790_000_000.0
Answers = dict[str, list[Any]]
Answer = Callable[..., list[tuple[str, dict[str, Any]]]]

ORDERS = {
    "DeliveryStreamName": "orders",
    "DeliveryStreamARN": "arn:aws:firehose:eu-west-1:123456789012:deliverystream/orders",
    "DeliveryStreamStatus": "ACTIVE",
    "DeliveryStreamType": "DirectPut",
    "DestinationType": "ExtendedS3",
    "Target": "s3://lake/orders/",
    "WaitingBytes": 12_600,
    "OldestWaitingAgeMs": 4_200,
    "DeliveredRecords": 1_234_567,
    "DeliveredBytes": 5 << 20,
    "Deliveries": 12,
    "FailedRecords": 3,
    "LastDeliveredTimestamp": NOW_S - 300,
    "LastErrorMessage": "S3.SlowDown: [Slow] down.",
    "LastErrorTimestamp": NOW_S - 7200,
}
TICKS = {
    **{name: ORDERS[name] for name in ("DeliveryStreamARN", "DeliveryStreamStatus", "DestinationType")},
    "DeliveryStreamName": "ticks",
    "DeliveryStreamType": "KinesisStreamAsSource",
    "KinesisStreamARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/market",
    "Target": "s3://lake/ticks/sector=!{partitionKeyFromQuery:sector}/",
    "WaitingBytes": 0,
    "DeliveredRecords": 0,
    "DeliveredBytes": 0,
    "Deliveries": 0,
    "FailedRecords": 0,
}
REAL_CLIENT = httpx.AsyncClient
MISSING = httpx.Response(400, json={"__type": "ResourceNotFoundException", "message": "not found."})


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Answer:
    """`answer(Operation=[…])` has each call of an operation answered by the next; returns the calls to come."""

    def prepare(**answers: list[Any]) -> list[tuple[str, dict[str, Any]]]:
        calls: list[tuple[str, dict[str, Any]]] = []

        def reply(request: httpx.Request) -> httpx.Response:
            operation = request.headers["x-amz-target"].partition(".")[2]
            calls.append((request.headers["x-amz-target"], json.loads(request.content)))
            next_ = answers[operation].pop(0)
            return next_ if isinstance(next_, httpx.Response) else httpx.Response(200, json=next_)

        def make_client(**options: Any) -> httpx.AsyncClient:
            return REAL_CLIENT(transport=httpx.MockTransport(reply), **options)

        monkeypatch.setattr(httpx, "AsyncClient", make_client)
        monkeypatch.setattr(deliver_manage, "POLL_S", 0)
        monkeypatch.setattr(time, "time", lambda: NOW_S)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "123456789012")
        return calls

    return prepare


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """The exit code, the output and the errors of `millstream ARGUMENTS`."""

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["millstream", *arguments])
        with pytest.raises(SystemExit) as raised:
            main()
        out, err = capsys.readouterr()
        return int(raised.value.code or 0), out, err

    return call


def test_list(answer: Answer, run: Callable[..., tuple[int, str, str]]) -> None:
    answer(DescribeDeliveries=[{"Deliveries": [ORDERS, TICKS]}])
    code, out, _ = run("deliver", "list")
    heading, orders, ticks = [line.split("  ") for line in out.splitlines()]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in (heading, orders, ticks)]
    assert code == 0
    assert cells == [
        ["DELIVERY STREAM", "STATUS", "FROM", "TO", "WAITING", "FOR", "RECORDS", "FAILED", "LAST DELIVERED"],
        ["orders", "ACTIVE", "direct put", "s3://lake/orders/", "12.3 KiB", "4 s", "1,234,567", "3", "5 min ago"],
        ["ticks", "ACTIVE", "market", "s3://lake/ticks/sector=…", "nothing", "0"],
    ]


def test_the_list_says_why_something_waits(answer: Answer, run: Callable[..., tuple[int, str, str]]) -> None:
    held_up = {**ORDERS, "LastErrorTimestamp": NOW_S - 4, "LastErrorMessage": "S3.SlowDown:\n [Slow] down."}
    answer(DescribeDeliveries=[{"Deliveries": [ORDERS, held_up, {**held_up, "WaitingBytes": 0}]}])
    assert run("deliver", "list")[1].splitlines()[4:] == ["orders: S3.SlowDown: [Slow] down. (4 s ago)"]


def test_an_empty_list_says_how_to_go_on(answer: Answer, run: Callable[..., tuple[int, str, str]]) -> None:
    answer(DescribeDeliveries=[{"Deliveries": []}])
    assert run("deliver", "list")[1].startswith("No delivery streams. Make one: millstream deliver create")


def test_show(answer: Answer, run: Callable[..., tuple[int, str, str]]) -> None:
    settings = {
        "DestinationId": "destinationId-000000000001",
        "S3DestinationDescription": {},
        "ExtendedS3DestinationDescription": {"BucketARN": "arn:aws:s3:::lake", "Prefix": "orders/"},
    }
    description = {"VersionId": "3", "Destinations": [settings]}
    answer(
        DescribeDeliveries=[{"Deliveries": [ORDERS]}],
        DescribeDeliveryStream=[{"DeliveryStreamDescription": description}],
    )
    _, out, _ = run("deliver", "show", "orders")
    assert "orders (version 3)" in out
    assert "12.3 KiB, the oldest for 4 s" in out
    assert "1,234,567 records, 5.0 MiB, in 12 deliveries" in out
    assert "S3.SlowDown: [Slow] down. (2 h ago)" in out
    assert '"Prefix": "orders/"' in out
    assert "3 records, kept in s3://lake/orders/" in out


@pytest.mark.parametrize("command", ["show", "flush", "errors", "delete"])
def test_a_delivery_stream_that_is_not_there(
    answer: Answer, run: Callable[..., tuple[int, str, str]], command: str
) -> None:
    answer(DescribeDeliveries=[MISSING])
    code, _, err = run("deliver", command, "nothing")
    assert (code, err) == (
        1,
        "millstream: there is no delivery stream nothing: `millstream deliver list` shows what there is\n",
    )


def test_flush_goes_on_until_all_is_delivered(answer: Answer, run: Callable[..., tuple[int, str, str]]) -> None:
    calls = answer(
        DescribeDeliveries=[{"Deliveries": [ORDERS]}, {"Deliveries": [{**ORDERS, "FailedRecords": 0}]}],
        FlushDeliveryStream=[{"Delivered": False, "WaitingBytes": 5}, {"Delivered": True, "WaitingBytes": 0}],
    )
    assert run("deliver", "flush", "orders")[:2] == (0, "all of orders is delivered to s3://lake/orders/\n")
    assert [target for target, _ in calls[1:3]] == ["Millstream_20261101.FlushDeliveryStream"] * 2


def test_flush_tells_of_records_that_could_not_be_delivered(
    answer: Answer, run: Callable[..., tuple[int, str, str]]
) -> None:
    side = {"BucketARN": "arn:aws:s3:::side", "ErrorOutputPrefix": "errors/!{firehose:error-output-type}/"}
    endpoint = {"S3DestinationDescription": side, "RoleARN": "arn:aws:iam::123456789012:role/firehose"}
    description = {"Destinations": [{"HttpEndpointDestinationDescription": endpoint}]}
    answer(
        DescribeDeliveries=[{"Deliveries": [ORDERS]}] * 2,
        FlushDeliveryStream=[{"Delivered": True, "WaitingBytes": 0}],
        DescribeDeliveryStream=[{"DeliveryStreamDescription": description}],
    )
    code, out, _ = run("deliver", "flush", "orders")
    assert code == 0
    assert out.endswith(
        "but for 3 records so far that could not be: see s3://side/errors/… and `millstream deliver errors orders`\n"
    )


def test_flush_says_what_keeps_it(answer: Answer, run: Callable[..., tuple[int, str, str]]) -> None:
    answer(
        DescribeDeliveries=[{"Deliveries": [ORDERS]}, {"Deliveries": [ORDERS]}],
        FlushDeliveryStream=[{"Delivered": False, "WaitingBytes": 2048}],
    )
    code, _, err = run("deliver", "flush", "orders", "--timeout", "0")
    assert code == 1
    assert "2.0 KiB of orders still wait after 0 s: the last error is 'S3.SlowDown: [Slow] down.'" in err
    assert "nothing is lost" in err


def test_flush_of_what_reads_a_deleted_stream(answer: Answer, run: Callable[..., tuple[int, str, str]]) -> None:
    gone = {name: value for name, value in TICKS.items() if name != "WaitingBytes"}
    answer(
        DescribeDeliveries=[{"Deliveries": [gone]}, {"Deliveries": [gone]}, {"Deliveries": [gone]}],
        FlushDeliveryStream=[{"Delivered": False}],
    )
    assert run("deliver", "flush", "ticks")[2] == (
        "millstream: the data stream that ticks reads is gone: nothing more can be delivered\n"
    )
    assert "source is gone" in run("deliver", "list")[1]


def test_errors(answer: Answer, run: Callable[..., tuple[int, str, str]]) -> None:
    errors = [
        {"Timestamp": 1_700_000_002, "Message": json.dumps({"errorCode": "B", "message": "[b]", "repetitions": 7})},
        {"Timestamp": 1_700_000_001, "Message": json.dumps({"errorCode": "A", "message": "a\n\tb"})},
    ]
    answer(
        DescribeDeliveries=[{"Deliveries": [ORDERS]}], GetDeliveryErrors=[{"LoggingEnabled": True, "Errors": errors}]
    )
    first, second = run("deliver", "errors", "orders")[1].splitlines()
    assert first.endswith("  A: a b")
    assert second.endswith("  B: [b] (and 7 times before)")
    assert error_line({"Timestamp": 0, "Message": "no JSON"}).endswith("  no JSON")


def test_errors_without_logging(answer: Answer, run: Callable[..., tuple[int, str, str]]) -> None:
    answer(DescribeDeliveries=[{"Deliveries": [ORDERS]}], GetDeliveryErrors=[{"LoggingEnabled": False, "Errors": []}])
    assert run("deliver", "errors", "orders")[1].splitlines() == [
        "orders does not log its errors.",
        "The last one was: S3.SlowDown: [Slow] down.",
    ]


def test_create_waits_until_records_are_taken(answer: Answer, run: Callable[..., tuple[int, str, str]]) -> None:
    calls = answer(
        DescribeStreamSummary=[{"StreamDescriptionSummary": {"StreamARN": TICKS["KinesisStreamARN"]}}],
        GetTable=[{"Table": {}}],
        CreateDeliveryStream=[{"DeliveryStreamARN": "…"}],
        DescribeDeliveryStream=[
            {"DeliveryStreamDescription": {"DeliveryStreamStatus": "CREATING"}},
            {"DeliveryStreamDescription": {"DeliveryStreamStatus": "ACTIVE"}},
        ],
        DescribeDeliveries=[{"Deliveries": [TICKS]}],
    )
    code, out, err = run(
        *("deliver", "create", "ticks", "--to", "s3://lake/ticks", "--from", "market", "--parquet", "demo.ticks"),
        *("--partition", "sector=.SECTOR", "--buffer", "64MB/15s"),
    )
    assert (code, err) == (0, "")
    assert "ticks delivers to s3://lake/ticks/sector=" in out
    assert [target for target, _ in calls[:3]] == [
        "Kinesis_20131202.DescribeStreamSummary",
        "AWSGlue.GetTable",
        "Firehose_20150804.CreateDeliveryStream",
    ]
    request = calls[2][1]
    assert request["KinesisStreamSourceConfiguration"]["KinesisStreamARN"] == TICKS["KinesisStreamARN"]
    assert request["ExtendedS3DestinationConfiguration"]["RoleARN"] == "arn:aws:iam::123456789012:role/firehose"


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("duckdb:ticks", " in warehouse.duckdb, in the server's data directory"),
        ("duckdb:lab/ticks", " in lab.duckdb, in the server's data directory"),
        ("postgresql://me:secret@db/lab/ticks", ""),
    ],
)
def test_create_says_that_a_warehouse_needs_its_table(
    answer: Answer, run: Callable[..., tuple[int, str, str]], url: str, where: str
) -> None:
    answer(
        CreateDeliveryStream=[{"DeliveryStreamARN": "…"}],
        DescribeDeliveryStream=[{"DeliveryStreamDescription": {"DeliveryStreamStatus": "ACTIVE"}}],
        DescribeDeliveries=[{"Deliveries": [TICKS]}],
    )
    out = run("deliver", "create", "ticks", "--to", url)[1]
    assert f"The table ticks must be there{where}: make it now" in out


@pytest.mark.parametrize(
    ("options", "answers", "message"),
    [
        (["--from", "market"], {"DescribeStreamSummary": [MISSING]}, "there is no data stream market"),
        (
            ["--parquet", "demo.ticks"],
            {"GetTable": [httpx.Response(400, json={"__type": "EntityNotFoundException", "Message": "no"})]},
            "there is no table demo.ticks: make one with `millstream tables load FILE`",
        ),
        (
            [],
            {"CreateDeliveryStream": [httpx.Response(400, json={"__type": "ResourceInUseException", "message": "x"})]},
            "there is a delivery stream orders already: `millstream deliver show orders`",
        ),
        (
            [],
            {
                "CreateDeliveryStream": [{}],
                "DescribeDeliveryStream": [
                    {
                        "DeliveryStreamDescription": {
                            "DeliveryStreamStatus": "CREATING_FAILED",
                            "FailureDescription": {"Type": "UNKNOWN_ERROR", "Details": "the disk is full"},
                        }
                    }
                ],
            },
            "orders is CREATING_FAILED: the disk is full",
        ),
    ],
)
def test_why_it_is_not_made(
    answer: Answer, run: Callable[..., tuple[int, str, str]], options: list[str], answers: Answers, message: str
) -> None:
    answer(**{operation: list(replies) for operation, replies in answers.items()})
    code, _, err = run("deliver", "create", "orders", "--to", "s3://lake", *options)
    assert code == 1
    assert err.startswith(f"millstream: {message}")


def test_delete_keeps_what_waits(answer: Answer, run: Callable[..., tuple[int, str, str]]) -> None:
    answer(DescribeDeliveries=[{"Deliveries": [ORDERS]}])
    code, _, err = run("deliver", "delete", "orders")
    assert code == 1
    assert "12.3 KiB of orders are not delivered: `millstream deliver flush orders` first" in err
    answer(DescribeDeliveries=[{"Deliveries": [ORDERS]}], DeleteDeliveryStream=[{}])
    assert run("deliver", "delete", "orders", "--force")[0] == 0
    answer(DescribeDeliveries=[{"Deliveries": [TICKS]}], DeleteDeliveryStream=[{}])
    assert run("deliver", "delete", "ticks")[0] == 0


def test_put_puts_again_what_is_throttled(
    answer: Answer, run: Callable[..., tuple[int, str, str]], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "_BACK_OFF_S", 0)
    throttled = {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."}
    calls = answer(
        PutRecordBatch=[
            {"FailedPutCount": 1, "RequestResponses": [{"RecordId": "1"}, throttled]},
            httpx.Response(503, json={"__type": "ServiceUnavailableException", "message": "Slow down."}),
            {"FailedPutCount": 0, "RequestResponses": [{"RecordId": "2"}]},
        ]
    )
    file = tmp_path / "lines"
    file.write_text("a\nb\n")
    code, _, err = run("deliver", "put", "orders", "--file", str(file))
    assert code == 0
    assert err.startswith("2 records put into orders in ")
    assert calls[0][1] == {"DeliveryStreamName": "orders", "Records": [{"Data": "YQ=="}, {"Data": "Yg=="}]}
    assert calls[2][1]["Records"] == [{"Data": "Yg=="}]


def test_put_of_one_record(answer: Answer, run: Callable[..., tuple[int, str, str]]) -> None:
    calls = answer(PutRecord=[{"RecordId": "r", "Encrypted": False}])
    assert run("deliver", "put", "orders", "a")[:2] == (0, "r\n")
    assert calls[0][1]["Record"] == {"Data": "YQ=="}


def test_tables(answer: Answer, run: Callable[..., tuple[int, str, str]], tmp_path: Any) -> None:
    exists = httpx.Response(400, json={"__type": "AlreadyExistsException", "Message": "x"})
    calls = answer(CreateDatabase=[exists], CreateTable=[exists], UpdateTable=[{}])
    file = tmp_path / "ticks.sql"
    file.write_text("CREATE TABLE demo.ticks (price double) PARTITIONED BY (sector string);")
    assert run("tables", "load", str(file))[:2] == (0, "demo.ticks is changed\n")
    assert calls[2][0] == "AWSGlue.UpdateTable"
    table = {"DatabaseName": "demo", **calls[2][1]["TableInput"]}
    answer(
        GetDatabases=[{"DatabaseList": [{"Name": "demo"}]}],
        GetTables=[{"TableList": [], "NextToken": "t"}, {"TableList": [table]}],
    )
    assert run("tables", "list")[1].splitlines()[1].split() == ["demo.ticks", "price", "double", "sector", "string"]
    answer(GetDatabases=[{"DatabaseList": []}])
    assert run("tables", "list")[1].startswith("No tables. Make one: millstream tables load")
    assert run("tables", "load", "/no/such")[2] == "millstream: /no/such: No such file or directory\n"


def test_units() -> None:
    assert [size_text(n) for n in (0, 1023, 1536, 5 << 20, 3 << 30)] == [
        "0 bytes",
        "1023 bytes",
        "1.5 KiB",
        "5.0 MiB",
        "3.0 GiB",
    ]
    ages_ms = (-5, 119_000, 120_000, 7_200_000, 200_000_000)
    assert [age_text(ms) for ms in ages_ms] == ["0 s", "119 s", "2 min", "2 h", "2 days"]
