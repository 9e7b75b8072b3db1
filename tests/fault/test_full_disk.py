"""A full disk: puts are refused, reads go on, and once there is space again everything does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.kinesis import Kinesis, connect, create_stream, new_account, read_shard, until_refused
from support.load import Writers, assert_nothing_lost
from support.smalldisk import SmallDisk, small_disk
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.server import Server

DISK_MIB = 24
BALLAST_BYTES = 8 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A file system of DISK_MIB."""
    with small_disk(tmp_path / "disk", DISK_MIB) as disk:
        yield disk


@pytest.fixture
def server(disk: SmallDisk, make_server: Callable[..., Server]) -> Server:
    """A server whose data directory is on the small disk, beside some ballast."""
    (disk.outside / "ballast").write_bytes(bytes(BALLAST_BYTES))
    return make_server(disk.path / "data", inside=disk.inside).start()


def fill(kinesis: Kinesis, stream: str) -> list[bytes]:
    """Put until the disk is full; returns what was acknowledged."""
    taken: list[bytes] = []

    def put() -> None:
        data = b"%08d" % len(taken) * 12_000
        kinesis.put_record(StreamName=stream, Data=data, PartitionKey="k")
        taken.append(data)

    _, refused = until_refused(put, attempts=2000)
    assert refused.code == "InternalFailure"
    assert refused.status == 500
    assert "disk" in refused.message
    assert "full" in refused.message
    return taken


def test_puts_fail_reads_go_on_and_space_mends_it(disk: SmallDisk, server: Server) -> None:
    kinesis = connect(server.url, new_account())
    stream = create_stream(kinesis)
    taken = fill(kinesis, stream)
    assert [record["Data"] for record in read_shard(kinesis, stream)] == taken
    assert kinesis.list_streams()["StreamNames"] == [stream]
    batch = [{"Data": bytes(900_000), "PartitionKey": "k"}]
    reply = kinesis.put_records(StreamName=stream, Records=batch)
    assert reply["FailedRecordCount"] == 1
    assert reply["Records"][0]["ErrorCode"] == "InternalFailure"
    assert "full" in reply["Records"][0]["ErrorMessage"]

    (disk.outside / "ballast").unlink()
    kinesis.put_record(StreamName=stream, Data=b"again", PartitionKey="k")
    server.kill()
    server.start()
    assert [record["Data"] for record in read_shard(kinesis, stream)] == [*taken, b"again"]
    assert "Traceback" not in server.log_text()


def test_a_start_on_a_full_disk(disk: SmallDisk, server: Server) -> None:
    kinesis = connect(server.url, new_account())
    stream = create_stream(kinesis)
    taken = fill(kinesis, stream)
    server.kill()
    server.start()
    assert [record["Data"] for record in read_shard(kinesis, stream)] == taken
    (disk.outside / "ballast").unlink()
    kinesis.put_record(StreamName=stream, Data=b"again", PartitionKey="k")
    assert server.terminate() == 0
    server.start()
    assert [record["Data"] for record in read_shard(kinesis, stream)] == [*taken, b"again"]


def test_nothing_acknowledged_is_lost_at_the_edge(disk: SmallDisk, server: Server) -> None:
    account = new_account()
    kinesis = connect(server.url, account)
    stream = create_stream(kinesis)
    writers = Writers(server.url, account, stream)
    try:
        wait_for(lambda: len(writers.refusals) > 20, "the disk to be full", timeout_s=30)
        (disk.outside / "ballast").unlink()
        sure = len(writers.acknowledged)
        wait_for(lambda: len(writers.acknowledged) > sure + 500, "puts to be taken again")
        server.kill()
        server.start()
    finally:
        writers.stop()
    assert all("full" in refused.message for refused in writers.refusals)
    assert_nothing_lost(writers, read_shard(kinesis, stream))
    assert "Traceback" not in server.log_text()
