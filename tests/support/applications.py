"""SQL applications of a live server as their owners see them: made, started, killed, and what they gave."""

from __future__ import annotations

import datetime as dt
import json
import os
import threading
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from botocore.exceptions import BotoCoreError, ClientError

from support.clients import client
from support.deliveries import operate
from support.kinesis import Kinesis, connect, create_stream, iterator, list_shards, new_name, read_lineage, read_pages
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from support.server import Server

Analytics: TypeAlias = Any  # a boto3 client

ACCOUNT = "000000000000"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/analytics"
COLUMNS = {"k": "VARCHAR(16)", "n": "BIGINT"}
SOURCE = '"SOURCE_SQL_STREAM_001"'
COUNTS = """\
CREATE STREAM "OUT" (k VARCHAR(16), w TIMESTAMP, c BIGINT, s BIGINT);
CREATE PUMP "COUNT" AS INSERT INTO "OUT"
SELECT STREAM k, STEP(s.ROWTIME BY INTERVAL '1' SECOND), COUNT(*), SUM(n)
FROM "SOURCE_SQL_STREAM_001" AS s GROUP BY k, STEP(s.ROWTIME BY INTERVAL '1' SECOND);
"""
COPY = """\
CREATE STREAM "OUT" (k VARCHAR(16), n BIGINT);
CREATE PUMP "COPY" AS INSERT INTO "OUT" SELECT STREAM k, n FROM "SOURCE_SQL_STREAM_001";
"""

_PAUSE_S = 0.04

_KINDS = {
    "kinesis": ("KinesisStreams", "ResourceARN"),
    "firehose": ("KinesisFirehose", "ResourceARN"),
    "lambda": ("Lambda", "ResourceARN"),
}


def connect_analytics(url: str, *, version: int = 1) -> Analytics:
    """A client of the first API, or the second."""
    return client("kinesisanalytics" if version == 1 else "kinesisanalyticsv2", url, ACCOUNT, "us-east-1")


def arn(kind: str, name: str) -> str:
    """The ARN of a "stream", a "deliverystream" or a "function"."""
    service = {"stream": "kinesis", "deliverystream": "firehose", "function": "lambda"}[kind]
    return f"arn:aws:{service}:us-east-1:{ACCOUNT}:{kind}{':' if kind == 'function' else '/'}{name}"


def schema(columns: Mapping[str, str], *, kind: str = "JSON") -> dict[str, Any]:
    """A SourceSchema whose columns are members of those names, or the columns of CSV."""
    mapping = {
        "JSON": {"JSONMappingParameters": {"RecordRowPath": "$"}},
        "CSV": {"CSVMappingParameters": {"RecordRowDelimiter": "\n", "RecordColumnDelimiter": ","}},
    }[kind]
    own = [{"Name": name.upper(), "Mapping": f"$.{name}", "SqlType": text} for name, text in columns.items()]
    if kind == "CSV":
        own = [{"Name": each["Name"], "SqlType": each["SqlType"]} for each in own]
    return {
        "RecordFormat": {"RecordFormatType": kind, "MappingParameters": mapping},
        "RecordColumns": own,
    }


def output(name: str, target: str) -> dict[str, Any]:
    """An Output: an in-application stream to an ARN."""
    member, _ = _KINDS[target.split(":")[2]]
    return {
        "Name": name,
        f"{member}Output": {"ResourceARN": target, "RoleARN": ROLE},
        "DestinationSchema": {"RecordFormatType": "JSON"},
    }


class LiveApplication:
    """One application of a live server."""

    def __init__(self, server: Server, *, name: str = "") -> None:
        self.name = name or new_name("app")
        self.server = server
        self.analytics = connect_analytics(server.url)
        self.call = partial(self._call)

    def _call(self, operation: str, **params: Any) -> Any:
        return getattr(self.analytics, operation)(ApplicationName=self.name, **params)

    def create(
        self,
        source: str,
        code: str = COPY,
        *,
        outputs: Mapping[str, str] | None = None,
        columns: Mapping[str, str] | None = None,
        parallelism: int = 1,
        function: str | None = None,
    ) -> LiveApplication:
        """Make it: `source` is an ARN; `outputs` are ARNs by in-application streams."""
        member, _ = _KINDS[source.split(":")[2]]
        given: dict[str, Any] = {
            "NamePrefix": "SOURCE_SQL_STREAM",
            f"{member}Input": {"ResourceARN": source, "RoleARN": ROLE},
            "InputSchema": schema(columns or COLUMNS),
            "InputParallelism": {"Count": parallelism},
        }
        if function is not None:
            given["InputProcessingConfiguration"] = {"InputLambdaProcessor": {"ResourceARN": function, "RoleARN": ROLE}}
        self.call(
            "create_application",
            ApplicationCode=code,
            Inputs=[given],
            Outputs=[output(name, target) for name, target in (outputs or {}).items()],
        )
        return self

    def start(self, position: str = "NOW") -> LiveApplication:
        """Start it, and wait until it runs."""
        self.begin(position)
        self.await_status("RUNNING")
        return self

    def begin(self, position: str = "NOW") -> None:
        """Start it."""
        (source,) = self.detail()["InputDescriptions"]
        starting = {"InputStartingPosition": position}
        configuration = {"Id": source["InputId"], "InputStartingPositionConfiguration": starting}
        self.call("start_application", InputConfigurations=[configuration])

    def stop(self) -> None:
        """Stop it, and wait until it has."""
        self.call("stop_application")
        self.await_status("READY")

    def update(self, **members: Any) -> None:
        """UpdateApplication, and wait until it is at work with that."""
        self.call(
            "update_application",
            CurrentApplicationVersionId=self.detail()["ApplicationVersionId"],
            ApplicationUpdate=members,
        )
        if self.detail()["ApplicationStatus"] != "READY":
            self.await_status("RUNNING")

    def add_reference(self, table: str, bucket: str, key: str, columns: Mapping[str, str]) -> None:
        """Give it a reference table of CSV."""
        self.call(
            "add_application_reference_data_source",
            CurrentApplicationVersionId=self.detail()["ApplicationVersionId"],
            ReferenceDataSource={
                "TableName": table,
                "S3ReferenceDataSource": {
                    "BucketARN": f"arn:aws:s3:::{bucket}",
                    "FileKey": key,
                    "ReferenceRoleARN": ROLE,
                },
                "ReferenceSchema": schema(columns, kind="CSV"),
            },
        )

    def detail(self) -> Any:
        """ApplicationDetail."""
        return self.call("describe_application")["ApplicationDetail"]

    def await_status(self, status: str, *, timeout_s: float = 30) -> None:
        """Wait for a status."""

        def reached() -> bool:
            now = self.detail()["ApplicationStatus"]
            assert not (now == "READY" and status == "RUNNING"), self.progress().get("Failure")
            return bool(now == status)

        wait_for(reached, f"{self.name} to be {status}", timeout_s=timeout_s)

    def progress(self) -> Any:
        """How it goes."""
        return operate(self.server.url, "DescribeApplicationProgress", ApplicationName=self.name)

    def await_failure(self, *, timeout_s: float = 30) -> str:
        """Wait until it has stopped by itself: why."""
        wait_for(lambda: self.progress().get("Failure"), f"{self.name} to fail", timeout_s=timeout_s)
        failed = self.progress()
        assert failed["ApplicationStatus"] == "READY"
        return str(failed["Failure"])

    def pid(self) -> int:
        """Its process."""
        return wait_for(lambda: int(self.progress().get("ProcessId", 0)), f"a process of {self.name}")

    def kill(self) -> None:
        """SIGKILL its process, and wait until another is at work."""
        pid = self.pid()
        os.kill(pid, 9)
        wait_for(lambda: self.progress().get("ProcessId", pid) != pid, "another process")

    def await_checkpoint(self, after_ms: int = 0) -> int:
        """Wait until a checkpoint is saved, a later one than that: its time."""

        def saved() -> int:
            time_ms = int(self.progress().get("CheckpointTimestampMs", 0))
            return time_ms if time_ms > after_ms else 0

        return wait_for(saved, "a checkpoint")

    def rows(self, stream: str = "OUT", after: int = 0) -> list[Any]:
        """The rows of an in-application stream that are still kept; none while it has no process that answers."""
        asked = {"ApplicationName": self.name, "InAppStreamName": stream, "After": after, "Limit": 500}
        try:
            return [json.loads(row) for row in operate(self.server.url, "GetApplicationRows", **asked)["Rows"]]
        except AssertionError as error:
            assert "Ask again" in str(error)  # noqa: PT017
            return []

    def await_rows(self, count: int, stream: str = "OUT", *, timeout_s: float = 15) -> list[Any]:
        """Wait until an in-application stream has had so many rows."""

        def enough() -> list[Any] | None:
            found = self.rows(stream)
            return found if len(found) >= count else None

        return wait_for(enough, f"{count} rows in {stream} of {self.name}", timeout_s=timeout_s)


class Live:
    """A server, and a source stream for applications on it."""

    def __init__(self, server: Server, *, shards: int = 1) -> None:
        self.server = server
        self.kinesis: Kinesis = connect(server.url)
        self.source = create_stream(self.kinesis, shards, StreamName=new_name("source"))
        self._read: dict[tuple[str, str], tuple[str, list[Any]]] = {}

    @property
    def source_arn(self) -> str:
        """The source stream's ARN."""
        return arn("stream", self.source)

    def application(self, code: str = COPY, **more: Any) -> LiveApplication:
        """An application that reads the source."""
        return LiveApplication(self.server).create(self.source_arn, code, **more)

    def stream(self, shards: int = 1) -> str:
        """Another stream."""
        return create_stream(self.kinesis, shards, StreamName=new_name("results"))

    def put(self, *documents: Any) -> None:
        """Put documents as JSON, or bytes as they are, all of which must be taken."""
        records = [
            {"Data": each if isinstance(each, bytes) else json.dumps(each).encode(), "PartitionKey": str(at)}
            for at, each in enumerate(documents)
        ]
        for first in range(0, len(records), 500):
            reply = self.kinesis.put_records(StreamName=self.source, Records=records[first : first + 500])
            assert reply["FailedRecordCount"] == 0

    def results(self, stream: str) -> list[Any]:
        """What is in a stream, as JSON, shard by shard."""
        shards = [shard["ShardId"] for shard in list_shards(self.kinesis, stream)]
        return [result for shard in shards for result in self._results(stream, shard)]

    def forget(self, stream: str) -> None:
        """Read a stream from its start again: it was made anew."""
        self._read = {key: value for key, value in self._read.items() if key[0] != stream}

    def raw(self, stream: str) -> list[Any]:
        """The records of a stream."""
        return read_lineage(self.kinesis, stream)

    def _results(self, stream: str, shard: str) -> list[Any]:
        """What is in a shard, of which only what is new is read."""
        start, found = self._read.get((stream, shard)) or (iterator(self.kinesis, stream, shard), [])
        for page in read_pages(self.kinesis, start):
            found += [json.loads(record["Data"]) for record in page["Records"]]
            start = page["NextShardIterator"]
        self._read[stream, shard] = (start, found)
        return found

    def await_results(self, stream: str, wanted: Iterable[Any], *, key: str = "N", timeout_s: float = 20) -> list[Any]:
        """Wait until a stream has a result with each of these values; all that it has."""
        missing = set(wanted)

        def complete() -> list[Any] | None:
            found = self.results(stream)
            return found if missing <= {each[key] for each in found} else None

        return wait_for(complete, f"{len(missing)} results in {stream}", timeout_s=timeout_s, interval_s=0.1)

    def truth(self, step_ms: int = 1000) -> dict[tuple[str, int], tuple[int, int]]:
        """By key and window (its beginning, epoch ms): count and sum of n of all that the source stream has."""
        counts: Counter[tuple[str, int]] = Counter()
        sums: Counter[tuple[str, int]] = Counter()
        for record in read_lineage(self.kinesis, self.source):
            document = json.loads(record["Data"])
            arrival_ms = round(record["ApproximateArrivalTimestamp"].timestamp() * 1000)
            place = (document["k"], arrival_ms // step_ms * step_ms)
            counts[place] += 1
            sums[place] += document["n"]
        return {place: (counts[place], sums[place]) for place in counts}


class Ticks:
    """Threads that put records of few keys into a stream, as fast as they are taken; servers may die meanwhile."""

    def __init__(self, live: Live, *, count: int = 2, keys: int = 5) -> None:
        self.taken = 0
        self._live = live
        self._keys = keys
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(number,)) for number in range(count)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop, after the answers to the puts under way."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def await_more(self, count: int) -> None:
        """Wait until so many more records are acknowledged."""
        target = self.taken + count
        wait_for(lambda: self.taken >= target, f"{count} more records", timeout_s=60, interval_s=0.005)

    def _write(self, number: int) -> None:
        kinesis = connect(self._live.server.url, read_timeout=10)
        at = 0
        while not self._stopped.is_set():
            records = [self._record(number, at + place) for place in range(40)]
            try:
                kinesis.put_records(StreamName=self._live.source, Records=records)
            except (ClientError, BotoCoreError):
                self._stopped.wait(0.05)
                continue
            at += len(records)
            self.taken += len(records)
            self._stopped.wait(_PAUSE_S)

    def _record(self, number: int, at: int) -> dict[str, Any]:
        key = f"key-{(at * 7 + number) % self._keys}"
        return {"Data": json.dumps({"k": key, "n": at}).encode(), "PartitionKey": f"{number}-{at}"}


def by_window(results: Iterable[Any]) -> dict[tuple[str, int], set[tuple[int, int]]]:
    """By key and window: all pairs of count and sum that were ever said."""
    found: dict[tuple[str, int], set[tuple[int, int]]] = {}
    for row in results:
        found.setdefault((row["K"], milliseconds(row["W"])), set()).add((row["C"], row["S"]))
    return found


def milliseconds(text: str) -> int:
    """Epoch milliseconds of a TIMESTAMP in a result."""
    return round(dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp() * 1000)
