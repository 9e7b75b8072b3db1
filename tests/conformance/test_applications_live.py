"""SQL applications on a live server: what goes in from everywhere, and what comes out everywhere."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.applications import (
    ACCOUNT,
    COPY,
    COUNTS,
    ROLE,
    Live,
    LiveApplication,
    arn,
    by_window,
    connect_analytics,
    output,
)
from support.clients import client
from support.deliveries import flush, local_objects
from support.kinesis import create_stream, new_name, refusal, wait_active
from support.livedelivery import LiveDelivery
from support.processing import aggregated
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.functionserver import FunctionServer
    from support.server import Server

ORIGINS = """\
CREATE STREAM "OUT" (n BIGINT, shard VARCHAR(24), part VARCHAR(64), seq VARCHAR(64));
CREATE PUMP "ONE" AS INSERT INTO "OUT" SELECT STREAM n, SHARD_ID, PARTITION_KEY, SEQUENCE_NUMBER
FROM "SOURCE_SQL_STREAM_001";
"""
JOIN = """\
CREATE STREAM "OUT" (k VARCHAR(16), n BIGINT, company VARCHAR(32));
CREATE PUMP "JOIN" AS INSERT INTO "OUT"
SELECT STREAM s.k, s.n, c.company FROM "SOURCE_SQL_STREAM_001" AS s LEFT JOIN "COMPANIES" AS c ON s.k = c.k;
"""
ERRORS = """\
CREATE STREAM "FAILED" (message VARCHAR(200), row_text VARCHAR(200));
CREATE PUMP "ERRORS" AS INSERT INTO "FAILED" SELECT STREAM MESSAGE, DATA_ROW FROM "error_stream";
"""


@pytest.fixture
def server(delivery_server: Server) -> Server:
    """The server of this module."""
    return delivery_server


@pytest.fixture
def live(server: Server) -> Iterator[Live]:
    """A source of the test's own; its applications are deleted afterwards."""
    live = Live(server)
    yield live
    analytics = connect_analytics(server.url)
    for each in analytics.list_applications()["ApplicationSummaries"]:
        detail = analytics.describe_application(ApplicationName=each["ApplicationName"])["ApplicationDetail"]
        if detail["ApplicationStatus"] != "DELETING":
            analytics.delete_application(
                ApplicationName=each["ApplicationName"], CreateTimestamp=detail["CreateTimestamp"]
            )


def test_windows_close_by_the_clock_and_rows_come_at_once(live: Live) -> None:
    results = live.stream()
    application = live.application(COUNTS + COPY.replace('"OUT"', '"ROWS"'), outputs={"OUT": arn("stream", results)})
    application.start()
    live.put({"k": "a", "n": 3}, {"k": "a", "n": 4}, {"k": "b", "n": 5})
    assert [row["N"] for row in application.await_rows(3, "ROWS")] == [3, 4, 5]
    live.await_results(results, ["a", "b"], key="K")
    said_ms = {record["ApproximateArrivalTimestamp"].timestamp() * 1000 for record in live.raw(results)}
    found = by_window(live.results(results))
    assert {key: pair for (key, _), pair in found.items()} == {"a": {(2, 7)}, "b": {(1, 5)}}
    (window_ms,) = {window for _, window in found}
    assert max(said_ms) - window_ms < 2_500  # a second of window, and then one more on a busy machine


def test_four_streams_of_four_shards_have_each_row_once_and_know_where_it_came_from(server: Server) -> None:
    live = Live(server, shards=4)
    code = 'CREATE STREAM "OUT" (n BIGINT, part INTEGER, shard VARCHAR(24));\n' + "".join(
        f'CREATE PUMP "P{at}" AS INSERT INTO "OUT" SELECT STREAM n, {at}, SHARD_ID FROM "SOURCE_SQL_STREAM_00{at}";\n'
        for at in range(1, 5)
    )
    application = live.application(code, parallelism=4).start()
    live.put(*({"k": "a", "n": number} for number in range(200)))
    rows = application.await_rows(200)
    assert sorted(row["N"] for row in rows) == list(range(200))
    assert len({(row["PART"], row["SHARD"]) for row in rows}) == 4
    application.call("delete_application", CreateTimestamp=application.detail()["CreateTimestamp"])


def test_an_encrypted_stream_that_is_resharded_is_read_on(live: Live) -> None:
    application = live.application(ORIGINS).start()
    live.put({"n": 1})
    application.await_rows(1)
    live.kinesis.start_stream_encryption(StreamName=live.source, EncryptionType="KMS", KeyId="alias/aws/kinesis")
    wait_active(live.kinesis, live.source)
    live.put({"n": 2})
    application.await_rows(2)
    live.kinesis.update_shard_count(StreamName=live.source, TargetShardCount=2, ScalingType="UNIFORM_SCALING")
    wait_active(live.kinesis, live.source)
    live.put(*({"n": number} for number in range(3, 23)))
    rows = application.await_rows(22)
    assert sorted(row["N"] for row in rows) == list(range(1, 23))
    assert len({row["SHARD"] for row in rows}) == 3
    records = {record["SequenceNumber"]: record["PartitionKey"] for record in live.raw(live.source)}
    assert {row["SEQ"]: row["PART"] for row in rows} == records


def test_garbage_goes_to_the_error_stream_and_the_rest_goes_on(live: Live) -> None:
    application = live.application(COPY + ERRORS).start()
    garbage = [b"\x00\xff\xfe", b"{", b"[]", b'"text"', b"\xf3\x89\x9a\xc2 no aggregate", b"{}" * 3, b"[" * 5_000]
    documents: list[Any] = [{"k": "a", "n": 0}, *garbage, {"k": "a", "n": "much"}, {"k": "a", "n": 1}]
    for document in documents:
        live.put(document)
    wait_for(lambda: [row["N"] for row in application.rows()][-1:] == [1], "the last")
    assert [row["N"] for row in application.rows() if row["N"] is not None] == [0, 1]
    failed = application.await_rows(4, "FAILED")
    assert any(b"much".hex() in row["ROW_TEXT"] for row in failed), failed
    wait_for(lambda: application.progress()["Errors"] >= len(failed), "the errors to be counted")


def test_a_function_prepares_drops_and_fails_records_and_may_be_down(live: Live, functions: FunctionServer) -> None:
    name = new_name("prepare")
    function = arn("function", name)
    application = live.application(COPY + ERRORS, function=function).start()
    live.put(*({"k": "a", "n": number} for number in range(6)))

    def prepare(data: bytes) -> dict[str, object]:
        document = json.loads(data)
        if document["n"] == 2:
            return {"result": "Dropped"}
        if document["n"] == 4:
            return {"result": "ProcessingFailed"}
        return {"data": json.dumps(document | {"k": "prepared"}).encode()}

    functions.add(name, prepare)  # it was not there until now
    rows = application.await_rows(4)
    assert [(row["K"], row["N"]) for row in rows] == [("prepared", number) for number in (0, 1, 3, 5)]
    (failed,) = application.await_rows(1, "FAILED")
    assert "ProcessingFailed" in failed["MESSAGE"]


def test_an_application_whose_function_is_down_can_be_stopped_and_changed(live: Live) -> None:
    application = live.application(function=arn("function", "nowhere")).start()
    live.put({"k": "a", "n": 1})
    (source,) = application.detail()["InputDescriptions"]
    application.call(
        "delete_application_input_processing_configuration",
        CurrentApplicationVersionId=application.detail()["ApplicationVersionId"],
        InputId=source["InputId"],
    )
    application.await_rows(1)
    application.stop()


def test_results_reach_a_function_which_may_refuse_some(live: Live, functions: FunctionServer) -> None:
    got: list[bytes] = []
    name = new_name("take")

    def take(data: bytes) -> dict[str, object]:
        got.append(data)
        refused = got.count(data) == 1 and json.loads(data)["N"] % 2 == 1
        return {"result": "DeliveryFailed" if refused else "Ok"}

    application = live.application(outputs={"OUT": functions.add(name, take)}).start()
    live.put(*({"k": "a", "n": number} for number in range(10)))
    wait_for(lambda: len(got) >= 15, "all, and half of them again")
    application.stop()
    assert sorted(json.loads(data)["N"] for data in got) == sorted([*range(10), *range(1, 10, 2)])


def test_from_a_delivery_stream_to_a_delivery_stream(live: Live, server: Server) -> None:
    source, target = LiveDelivery(server), LiveDelivery(server)
    for each in (source, target):
        each.create(ExtendedS3DestinationConfiguration=each.s3())
    application = LiveApplication(server).create(
        arn("deliverystream", source.name), outputs={"OUT": arn("deliverystream", target.name)}
    )
    application.start()
    source.put(*(json.dumps({"k": "a", "n": number}).encode() for number in range(700)))
    wait_for(lambda: application.progress().get("RowsOut") == 700, "all results")
    application.stop()
    flush(server.url, target.name)
    found = b"".join(local_objects(server, target.bucket).values())
    decoder, at, numbers = json.JSONDecoder(), 0, []
    text = found.decode().replace("\n", "")
    while at < len(text):
        row, at = decoder.raw_decode(text, at)
        numbers.append(row["N"])
    assert sorted(numbers) == list(range(700))


def test_a_reference_table_is_joined_and_refreshed(live: Live, server: Server) -> None:
    bucket = new_name("tables")
    table = server.data_dir / "objects" / bucket / "companies.csv"
    table.parent.mkdir(parents=True)
    table.write_text("a,Alpha\nb,Beta\n")
    application = live.application("-- soon")
    application.add_reference("COMPANIES", bucket, "companies.csv", {"k": "VARCHAR(16)", "company": "VARCHAR(32)"})
    application.update(ApplicationCodeUpdate=JOIN)
    application.start()
    live.put({"k": "a", "n": 1}, {"k": "c", "n": 2})
    assert [row["COMPANY"] for row in application.await_rows(2)] == ["Alpha", None]
    table.write_text("a,Omega\nc,Gamma\n")
    (reference,) = application.detail()["ReferenceDataSourceDescriptions"]
    application.update(
        ReferenceDataSourceUpdates=[
            {
                "ReferenceId": reference["ReferenceId"],
                "S3ReferenceDataSourceUpdate": {"FileKeyUpdate": "companies.csv"},
            }
        ]
    )
    live.put({"k": "a", "n": 3}, {"k": "c", "n": 4})
    assert [row["COMPANY"] for row in application.await_rows(4)][2:] == ["Omega", "Gamma"]


def test_a_changed_program_keeps_the_windows_of_pumps_that_are_the_same(live: Live) -> None:
    counted = """\
CREATE STREAM "KEPT" (k VARCHAR(16), c BIGINT);
CREATE PUMP "KEEP" AS INSERT INTO "KEPT"
SELECT STREAM k, COUNT(*) OVER (PARTITION BY k ROWS 100 PRECEDING) FROM "SOURCE_SQL_STREAM_001";
"""
    application = live.application("-- first\n" + COPY + counted).start()
    live.put({"k": "a", "n": 1}, {"k": "a", "n": 2})
    application.await_rows(2, "KEPT")
    changed = COPY.replace("SELECT STREAM k, n", "SELECT STREAM k, n * 10") + "\n\n-- another\n" + counted
    application.update(ApplicationCodeUpdate=changed)
    live.put({"k": "a", "n": 3})
    assert [row["C"] for row in application.await_rows(3, "KEPT")] == [1, 2, 3]
    assert [row["N"] for row in application.await_rows(3)] == [1, 2, 30]
    bad = refusal(
        application.analytics.update_application,
        ApplicationName=application.name,
        CurrentApplicationVersionId=application.detail()["ApplicationVersionId"],
        ApplicationUpdate={"ApplicationCodeUpdate": COPY.replace("SELECT STREAM k, n", "SELECT STREAM k, m")},
    )
    assert bad.code == "CodeValidationException"
    assert bad.message.startswith("2:58: There is no column M")
    live.put({"k": "a", "n": 4})
    application.await_rows(4)


def test_outputs_are_added_moved_and_taken_away_while_it_runs(live: Live) -> None:
    first, second = live.stream(), live.stream()
    application = live.application().start()
    application.call(
        "add_application_output",
        CurrentApplicationVersionId=application.detail()["ApplicationVersionId"],
        Output=output("OUT", arn("stream", first)),
    )
    application.await_status("RUNNING")
    live.put({"k": "a", "n": 1})
    live.await_results(first, [1])
    (described,) = application.detail()["OutputDescriptions"]
    application.update(
        OutputUpdates=[
            {
                "OutputId": described["OutputId"],
                "KinesisStreamsOutputUpdate": {"ResourceARNUpdate": arn("stream", second)},
            }
        ]
    )
    live.put({"k": "a", "n": 2})
    live.await_results(second, [2])
    assert [row["N"] for row in live.results(first)] == [1]


def test_an_output_that_is_no_more_stops_nothing_and_gets_all_when_it_is_made_again(live: Live) -> None:
    lost, kept = live.stream(), live.stream()
    both = COPY + COPY.replace('"OUT"', '"MORE"').replace('"COPY"', '"COPY2"')
    live.application(both, outputs={"OUT": arn("stream", lost), "MORE": arn("stream", kept)}).start()
    live.put({"k": "a", "n": 1})
    live.await_results(lost, [1])
    live.kinesis.delete_stream(StreamName=lost)
    wait_for(lambda: lost not in live.kinesis.list_streams()["StreamNames"], "the stream to be gone")
    for number in range(2, 12):
        live.put({"k": "a", "n": number})
        live.await_results(kept, [number])
    again = create_stream(live.kinesis, StreamName=lost)
    live.forget(again)
    assert [row["N"] for row in live.await_results(again, range(2, 12))] == list(range(2, 12))


def test_it_can_be_stopped_changed_and_deleted_while_an_output_takes_nothing(live: Live, server: Server) -> None:
    lost, kept = live.stream(), live.stream()
    application = live.application(outputs={"OUT": arn("stream", lost)}).start()
    live.kinesis.delete_stream(StreamName=lost)
    wait_for(lambda: lost not in live.kinesis.list_streams()["StreamNames"], "the stream to be gone")
    live.put({"k": "a", "n": 1})
    wait_for(lambda: application.progress().get("RowsOut"), "a result")
    (described,) = application.detail()["OutputDescriptions"]
    application.update(
        OutputUpdates=[
            {
                "OutputId": described["OutputId"],
                "KinesisStreamsOutputUpdate": {"ResourceARNUpdate": arn("stream", kept)},
            }
        ]
    )
    live.await_results(kept, [1])
    live.kinesis.delete_stream(StreamName=kept)
    wait_for(lambda: kept not in live.kinesis.list_streams()["StreamNames"], "the stream to be gone")
    live.put({"k": "a", "n": 2})
    application.stop()
    create_stream(live.kinesis, StreamName=kept)
    live.forget(kept)
    application.start("LAST_STOPPED_POINT")
    live.await_results(kept, [2])
    pid = application.pid()
    (directory,) = [path for path in (server.data_dir / "applications").iterdir() if _is_open(pid, str(path))]
    application.call("delete_application", CreateTimestamp=application.detail()["CreateTimestamp"])
    wait_for(lambda: not directory.exists(), "its files to be gone")
    wait_for(lambda: not _is_open(pid, ""), "its process to be gone")


def _is_open(pid: int, prefix: str) -> bool:
    try:
        return any(str(fd.resolve()).startswith(prefix) for fd in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def test_a_source_that_is_deleted_stops_it_with_the_reason(live: Live) -> None:
    application = live.application().start()
    live.put({"k": "a", "n": 1})
    application.await_rows(1)
    live.kinesis.delete_stream(StreamName=live.source)
    assert "deleted" in application.await_failure()


def test_a_program_without_the_output_s_stream_does_not_start(live: Live) -> None:
    results = live.stream()
    application = live.application(outputs={"ELSEWHERE": arn("stream", results)})
    (source,) = application.detail()["InputDescriptions"]
    refused = refusal(
        application.analytics.start_application,
        ApplicationName=application.name,
        InputConfigurations=[
            {"Id": source["InputId"], "InputStartingPositionConfiguration": {"InputStartingPosition": "NOW"}}
        ],
    )
    assert "ELSEWHERE" in refused.message
    assert "OUT" in refused.message


def test_rows_that_no_output_can_take_do_not_block_the_others(live: Live) -> None:
    results = live.stream()
    columns = ", ".join(f"t{at} VARCHAR(65535)" for at in range(20))
    wide = f"""\
CREATE STREAM "OUT" (n BIGINT, {columns});
CREATE PUMP "WIDE" AS INSERT INTO "OUT" SELECT STREAM n{", t" * 20} FROM "SOURCE_SQL_STREAM_001";
"""
    application = live.application(
        wide, columns={"n": "BIGINT", "t": "VARCHAR(65535)"}, outputs={"OUT": arn("stream", results)}
    ).start()
    live.put({"n": 1, "t": "x"}, {"n": 2, "t": "x" * 60_000}, {"n": 3, "t": "y"})
    assert [row["N"] for row in live.await_results(results, [1, 3])] == [1, 3]
    assert application.detail()["ApplicationStatus"] == "RUNNING"


def test_aggregated_records_are_taken_apart(live: Live) -> None:
    application = live.application(ORIGINS).start()
    live.put({"n": 0}, aggregated(("first", b'{"n": 1}'), ("second", b'{"n": 2}')), {"n": 3})
    rows = application.await_rows(4)
    assert [row["N"] for row in rows] == [0, 1, 2, 3]
    assert [row["PART"] for row in rows] == ["0", "first", "second", "2"]


def test_how_far_it_is_behind_a_burst(live: Live) -> None:
    application = live.application().start()
    began_s = time.monotonic()
    for _ in range(10):
        live.put(*({"k": "a", "n": number} for number in range(500)))
    wait_for(lambda: application.progress().get("RowsIn") == 5_000, "all rows", timeout_s=30)
    assert application.progress()["BehindBytes"] == 0
    assert time.monotonic() - began_s < 30


def test_results_as_csv(live: Live) -> None:
    application, stream = live.application(), live.stream()
    wanted = output("OUT", arn("stream", stream)) | {"DestinationSchema": {"RecordFormatType": "CSV"}}
    application.call("add_application_output", CurrentApplicationVersionId=1, Output=wanted)
    application.start()
    live.put({"k": 'a "b", c', "n": 1}, {"k": "d", "n": None})
    wait_for(lambda: len(live.raw(stream)) == 2, "two results")
    assert [record["Data"] for record in live.raw(stream)] == [b'"a ""b"", c",1\n', b"d,\n"]


def test_what_goes_wrong_is_told_in_its_log_stream(live: Live, server: Server) -> None:
    application, stream = live.application(), live.stream()
    application.call(
        "add_application_output", CurrentApplicationVersionId=1, Output=output("OUT", arn("stream", stream))
    )
    group = new_name("group")
    option = {
        "LogStreamARN": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{group}:log-stream:messages",
        "RoleARN": ROLE,
    }
    application.call(
        "add_application_cloud_watch_logging_option", CurrentApplicationVersionId=2, CloudWatchLoggingOption=option
    )
    application.start()
    live.kinesis.delete_stream(StreamName=stream)
    live.put({"k": "a", "n": 1})
    logs = client("logs", server.url, ACCOUNT, "us-east-1")
    wait_for(lambda: logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"], "the log group")
    found = wait_for(lambda: logs.get_log_events(logGroupName=group, logStreamName="messages")["events"], "a message")
    event = json.loads(found[-1]["message"])
    assert event["applicationARN"] == application.detail()["ApplicationARN"]
    assert event["messageType"] == "ERROR"
    assert "ResourceNotFoundException" in event["message"]


def test_the_schema_of_an_object_is_discovered(server: Server) -> None:
    bucket = new_name("bucket")
    table = server.data_dir / "objects" / bucket / "ticks.csv"
    table.parent.mkdir(parents=True)
    table.write_text("AMZN,10.5,3\nGOOG,11.25,4\n")
    place = {"RoleARN": ROLE, "BucketARN": f"arn:aws:s3:::{bucket}", "FileKey": "ticks.csv"}
    found = connect_analytics(server.url).discover_input_schema(S3Configuration=place)
    types = [column["SqlType"] for column in found["InputSchema"]["RecordColumns"]]
    assert types == ["VARCHAR(4)", "REAL", "INTEGER"]
    assert found["InputSchema"]["RecordFormat"]["RecordFormatType"] == "CSV"
    assert found["ParsedInputRecords"][1] == ["GOOG", "11.25", "4"]
