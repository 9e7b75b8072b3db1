"""The subscription consumer as a process, from a stream of a live server to a search index, to files, to a terminal."""

from __future__ import annotations

import gzip
import json
import os
from typing import TYPE_CHECKING

import pytest

from support.kinesis import Kinesis, new_name
from support.s3server import moto_server
from support.sharing import TEST_PROCESS
from support.subscriptions import INDEX, TIME_MS, consumer, control_record, record
from support.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from support.searchnode import SearchNode


def put(kinesis: Kinesis, stream: str, *records: bytes) -> None:
    kinesis.put_records(
        StreamName=stream, Records=[{"Data": data, "PartitionKey": f"{n}"} for n, data in enumerate(records)]
    )


@pytest.fixture
def index() -> str:
    return f"{new_name('cwl')}-{TEST_PROCESS}"


def test_stdout(kinesis: Kinesis, stream: str, environment: dict[str, str], tmp_path: Path) -> None:
    put(kinesis, stream, control_record(), record(range(3)), b"none of ours", record(range(3, 5)))
    with consumer(environment, tmp_path, stream, "--to", "stdout") as running:
        lines = wait_for(lambda: running.lines() if len(running.lines()) >= 5 else None, "all events")
        assert [line["n"] for line in lines] == [0, 1, 2, 3, 4]
        assert lines[0] == {
            "n": 0,
            "@id": "0" * 56,
            "@timestamp": "2025-11-23T18:45:00.042Z",
            "@message": 'request {"n": 0}',
            "@owner": "123456789012",
            "@log_group": "web",
            "@log_stream": "host-1",
        }
        assert running.stop() == 0
        assert "is left out: not in GZIP format" in running.log.read_text()
    with consumer(environment, tmp_path, stream, "--to", "stdout", "--set", "format=text") as after:
        put(kinesis, stream, record(range(5, 6)))
        wait_for(after.output.read_text, "the new event")
        assert after.output.read_text() == '2025-11-23T18:45:00.047Z web host-1 request {"n": 5}\n'


def test_elasticsearch(
    kinesis: Kinesis, stream: str, environment: dict[str, str], tmp_path: Path, node: SearchNode, index: str
) -> None:
    fields = {"srcaddr": "10.0.0.1", "bytes": "443", "call": 'GET {"ms": 5}'}
    flow = [{"id": "f", "timestamp": TIME_MS, "message": "a flow", "extractedFields": fields}]
    put(kinesis, stream, record(range(3)), record(range(0), logEvents=flow))
    options = ("--to", "elasticsearch", "--set", f"url={node.url}", "--set", f"index={index}-yyyy.MM.dd")
    with consumer(environment, tmp_path, stream, *options) as running:
        name = f"{index}{INDEX.removeprefix('cwl')}"
        wait_for(lambda: name in node.call("GET", "/_alias"), "the index of the day")
        documents = wait_for(lambda: found if len(found := node.documents(name)) == 4 else None, "all events")
        assert documents["f"]["bytes"] == 443
        assert documents["f"]["$call"] == {"ms": 5}
        assert documents["f"]["srcaddr"] == "10.0.0.1"
        assert documents[f"{2:056d}"]["n"] == 2

        # `n` is a number in this index by now: a document where it is an object is kept without it
        odd = [{"id": "odd", "timestamp": TIME_MS, "message": '{"n": {"a": 1}}'}]
        put(kinesis, stream, record(range(0), logEvents=odd), record(range(3, 4)))
        documents = wait_for(lambda: found if len(found := node.documents(name)) == 6 else None, "the others")
        assert documents["odd"]["@message"] == '{"n": {"a": 1}}'
        assert "n" not in documents["odd"]
        assert "do not fit the index" in running.log.read_text()


def test_files(kinesis: Kinesis, stream: str, environment: dict[str, str], tmp_path: Path) -> None:
    put(kinesis, stream, record(range(100)), record(range(100, 150)))
    options = ("--to", "s3", "--set", f"url=file://{tmp_path}/events", "--batch", "60")

    def numbers() -> list[int]:
        files = sorted((tmp_path / "events/2025/11/23/18").glob("*.json.gz"))
        return sorted(json.loads(line)["n"] for path in files for line in gzip.open(path))

    with consumer(environment, tmp_path, stream, *options) as running:
        wait_for(lambda: len(numbers()) == 150, "all events")
        assert numbers() == list(range(150))
        assert running.stop() == 0


def test_objects(kinesis: Kinesis, stream: str, environment: dict[str, str], tmp_path: Path) -> None:
    put(kinesis, stream, record(range(40)))
    with moto_server(tmp_path) as store:
        store.client().create_bucket(Bucket="events")
        settings = {
            "url": "s3://events/logs",
            "endpoint": store.url,
            "region": "us-east-1",
            "access_key_id": store.access_key,
            "secret_access_key": store.secret_key,
        }
        options = [option for name, value in settings.items() for option in ("--set", f"{name}={value}")]
        with consumer(environment, tmp_path, stream, "--to", "s3", *options) as running:
            ((key, content),) = wait_for(lambda: store.contents("events"), "the object").items()
            assert running.stop() == 0
    assert key.startswith("logs/2025/11/23/18/")
    assert [json.loads(line)["n"] for line in gzip.decompress(content).splitlines()] == list(range(40))


def test_a_connector_of_somebody_else(
    kinesis: Kinesis, stream: str, environment: dict[str, str], tmp_path: Path
) -> None:
    # what `pip install` leaves of a package that has the entry point
    (tmp_path / "counting.py").write_text(
        "class Counting:\n"
        "    def __init__(self, path):\n"
        "        self.path = path\n"
        "    async def write(self, events):\n"
        "        with open(self.path, 'a') as file:\n"
        "            file.write(f'{len(events)} {events[0].log_group}\\n')\n"
        "    async def close(self):\n"
        "        pass\n\n\n"
        "def make(settings):\n"
        "    return Counting(settings.take('path'))\n"
    )
    information = tmp_path / "counting-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: counting\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[millstream.connectors]\ncounting = counting:make\n")
    put(kinesis, stream, record(range(7)))
    options = ("--to", "counting", "--set", f"path={tmp_path / 'counts'}")
    with consumer(environment | {"PYTHONPATH": str(tmp_path)}, tmp_path, stream, *options):
        wait_for((tmp_path / "counts").exists, "the connector to be called")
        wait_for(lambda: (tmp_path / "counts").read_text() == "7 web\n", "its seven events")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--to", "kafka"), "no connector 'kafka' is installed; there are"),
        (("--to", "stdout", "--set", "format"), "--set takes NAME=VALUE, not 'format'"),
        (("--to", "elasticsearch", "--set", "url=http://127.0.0.1:9", "--set", "colour=red"), "colour is not known"),
    ],
)
def test_what_makes_no_sense(environment: dict[str, str], tmp_path: Path, options: tuple[str, ...], why: str) -> None:
    with consumer(environment, tmp_path, "any", *options) as running:
        assert running.process.wait(20) in (1, 2)
        assert why in running.log.read_text()
        assert len(running.log.read_text().splitlines()) == 1


def test_a_stream_that_is_not_there(environment: dict[str, str], tmp_path: Path) -> None:
    with consumer(environment, tmp_path, "missing", "--to", "stdout") as running:
        assert running.process.wait(20) == 1
        assert "missing" in running.log.read_text()
        assert os.path.getsize(running.output) == 0
