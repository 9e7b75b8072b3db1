"""SIGKILL under direct puts: every acknowledged record is in the delivery stream's log, once, and states go on."""

from __future__ import annotations

import subprocess
import threading
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from millstream.disk import RealDisk
from millstream.log.store import LogStore
from support.firehose import (
    connect_firehose,
    create_delivery_stream,
    describe_delivery_stream,
    records_of,
    to_bucket,
)
from support.kinesis import new_account
from support.server import COMMAND, Server
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KILLS = 2
BATCH = 20
LATE = to_bucket(BufferingHints={"SizeInMBs": 128, "IntervalInSeconds": 900})  # nothing is delivered, so nothing goes


class Putter(threading.Thread):
    """Puts numbered records until told to stop; `acknowledged` are those that were answered."""

    def __init__(self, url: str, account: str, name: str, number: int) -> None:
        super().__init__(daemon=True)
        self._firehose = connect_firehose(url, account)
        self._name = name
        self._number = number
        self.stopping = threading.Event()
        self.acknowledged: list[bytes] = []

    def run(self) -> None:
        made = 0
        while not self.stopping.is_set():
            data = [b"%d-%08d" % (self._number, made + place) for place in range(BATCH)]
            made += BATCH
            try:
                reply = self._firehose.put_record_batch(DeliveryStreamName=self._name, Records=records_of(*data))
            except (BotoCoreError, ClientError):  # the server is down: what it was answering may be there, or not
                self.stopping.wait(0.01)
                continue
            assert reply["FailedPutCount"] == 0
            self.acknowledged += data


def stored_records(data_dir: Path) -> list[bytes]:
    """What the log of the only delivery stream holds."""
    (directory,) = (path.name for path in (data_dir / "firehose").iterdir())
    store = LogStore.open(RealDisk(data_dir / "firehose" / directory), "log")
    runs = store.read(0, 0, records_max=10**7, bytes_max=10**9)
    store.close()
    return [datum for run in runs for datum in run.data]


def test_acknowledged_records_survive(server: Server) -> None:
    account = new_account()
    firehose = connect_firehose(server.url, account)
    name = create_delivery_stream(firehose, ExtendedS3DestinationConfiguration=LATE)
    putters = [Putter(server.url, account, name, number) for number in range(3)]
    for putter in putters:
        putter.start()

    def await_more() -> None:
        target = sum(len(putter.acknowledged) for putter in putters) + 40 * BATCH
        wait_for(lambda: sum(len(putter.acknowledged) for putter in putters) >= target, "more records")

    for _ in range(KILLS):
        await_more()
        server.kill()
        server.start()
    await_more()
    for putter in putters:
        putter.stopping.set()
        putter.join()
    assert describe_delivery_stream(firehose, name)["DeliveryStreamStatus"] == "ACTIVE"
    server.kill()

    stored = stored_records(server.data_dir)
    assert len(set(stored)) == len(stored)
    for number, putter in enumerate(putters):
        of_putter = [datum for datum in stored if datum.startswith(b"%d-" % number)]
        assert of_putter == sorted(of_putter)
        assert set(putter.acknowledged) <= set(of_putter)
    checked = subprocess.run([COMMAND, "log", "check", server.data_dir], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    assert f"{len(stored):,} records" in checked.stdout


def test_creation_and_deletion_go_on_after_a_kill(make_server: Callable[..., Server]) -> None:
    slow = ["--create-delay-ms", "600000", "--delete-delay-ms", "600000"]
    server = make_server(options=slow).start()
    account = new_account()
    firehose = connect_firehose(server.url, account)
    firehose.create_delivery_stream(DeliveryStreamName="first", ExtendedS3DestinationConfiguration=LATE)
    assert describe_delivery_stream(firehose, "first")["DeliveryStreamStatus"] == "CREATING"
    server.kill()

    server = make_server(options=["--delete-delay-ms", "600000"]).start()
    firehose = connect_firehose(server.url, account)
    wait_for(lambda: describe_delivery_stream(firehose, "first")["DeliveryStreamStatus"] == "ACTIVE", "ACTIVE")
    firehose.delete_delivery_stream(DeliveryStreamName="first")
    server.kill()

    server = make_server().start()
    firehose = connect_firehose(server.url, account)
    wait_for(lambda: firehose.list_delivery_streams()["DeliveryStreamNames"] == [], "the delivery stream to be gone")
    assert list((server.data_dir / "firehose").iterdir()) == []
