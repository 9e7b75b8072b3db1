"""Puts while their delivery stream is deleted, made again, encrypted: stored or refused, and never our fault."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from support.firehose import connect_firehose, create_delivery_stream, records_of, to_bucket
from support.waiting import wait_for

if TYPE_CHECKING:
    from support.firehose import Firehose
    from support.server import Server

LATE = to_bucket(BufferingHints={"SizeInMBs": 128, "IntervalInSeconds": 900})
ROUNDS = 6


class Putter(threading.Thread):
    """Puts until told to stop; counts answers by error code, "" for success."""

    def __init__(self, firehose: Firehose, name: str) -> None:
        super().__init__(daemon=True)
        self._firehose = firehose
        self._name = name
        self.stopping = threading.Event()
        self.answers: Counter[str] = Counter()

    def run(self) -> None:
        while not self.stopping.is_set():
            try:
                reply = self._firehose.put_record_batch(DeliveryStreamName=self._name, Records=records_of(b"x" * 9_999))
                self.answers["" if reply["FailedPutCount"] == 0 else "failed"] += 1
            except ClientError as error:
                self.answers[error.response["Error"]["Code"]] += 1


def test_puts_while_their_delivery_stream_comes_and_goes(server: Server) -> None:
    firehose = connect_firehose(server.url)
    create_delivery_stream(firehose, DeliveryStreamName="busy", ExtendedS3DestinationConfiguration=LATE)
    putters = [Putter(connect_firehose(server.url), "busy") for _ in range(4)]
    for putter in putters:
        putter.start()

    def answered() -> int:
        return sum(putter.answers[""] for putter in putters)

    for _ in range(ROUNDS):
        before = answered()
        wait_for(lambda before=before: answered() > before + 20, "puts")  # type: ignore[misc]
        firehose.start_delivery_stream_encryption(DeliveryStreamName="busy")
        firehose.delete_delivery_stream(DeliveryStreamName="busy")
        wait_for(lambda: not firehose.list_delivery_streams()["DeliveryStreamNames"], "the delivery stream to be gone")
        create_delivery_stream(firehose, DeliveryStreamName="busy", ExtendedS3DestinationConfiguration=LATE)
    for putter in putters:
        putter.stopping.set()
        putter.join()
    codes = {code for putter in putters for code in putter.answers}
    assert codes == {"", "ResourceNotFoundException"}
    assert server.terminate() == 0
    assert "Traceback" not in server.log_text()
    assert "ERROR" not in server.log_text()
