"""Delivery streams of a live server as their users see them: made, fed, flushed, and what is in their buckets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from support.configurations import ROLE
from support.deliveries import flush, kill_worker, local_objects, operate, s3_destination
from support.firehose import connect_firehose, create_delivery_stream
from support.kinesis import new_name
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.server import Server


class LiveDelivery:
    """One delivery stream of a live server, with a bucket of its own in the local store."""

    def __init__(self, server: Server, *, name: str = "") -> None:
        self.name = name or new_name("live")
        self.bucket = new_name("bucket")
        self._server = server
        self._firehose = connect_firehose(server.url)

    def s3(self, **members: Any) -> dict[str, Any]:
        """An S3 configuration of that bucket. Nothing is due for a quarter of an hour: tests flush."""
        return s3_destination(self.bucket, **{"interval_s": 900, **members})

    def create(self, **members: Any) -> LiveDelivery:
        """Make the delivery stream and wait until it is ACTIVE."""
        create_delivery_stream(self._firehose, DeliveryStreamName=self.name, **members)
        return self

    def to(self, kind: str, **members: Any) -> LiveDelivery:
        """Make it with a destination of that kind, which has the bucket for backup and a role."""
        hints = {"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 900}}
        if kind in ("Redshift", "Splunk"):
            hints = {}
        configuration = {"RoleARN": ROLE, "S3Configuration": self.s3(), **hints, **self._logged(), **members}
        if kind == "Splunk":
            del configuration["RoleARN"]
        return self.create(**{f"{kind}DestinationConfiguration": configuration})

    def _logged(self) -> dict[str, Any]:
        """Members that switch error logging on, into a log stream of its own."""
        options = {"Enabled": True, "LogGroupName": "/aws/kinesisfirehose/tests", "LogStreamName": self.name}
        return {"CloudWatchLoggingOptions": options}

    def put(self, *records: bytes) -> None:
        """Put records, all of which must be taken."""
        for first in range(0, len(records), 500):
            batch = [{"Data": record} for record in records[first : first + 500]]
            reply = self._firehose.put_record_batch(DeliveryStreamName=self.name, Records=batch)
            assert reply["FailedPutCount"] == 0

    def flush(self, *, timeout_s: float = 30) -> None:
        """Have everything delivered that was put."""
        flush(self._server.url, self.name, timeout_s=timeout_s)

    def flush_until(self, condition: Callable[[], Any], what: str) -> None:
        """Have everything put on its way, also by a worker that has only just begun, until the condition holds."""

        def holds() -> Any:
            self.call("FlushDeliveryStream", TimeoutMs=0)
            return condition()

        wait_for(holds, what, interval_s=0.05)

    def kill_worker(self) -> None:
        """SIGKILL the process that delivers."""
        kill_worker(self._server)

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        """The bucket's objects, those that are GZIP decompressed."""
        found = local_objects(self._server, self.bucket)
        return {key: content for key, content in found.items() if key.startswith(prefix)}

    def lines(self, kind: str) -> list[dict[str, Any]]:
        """The error output of a type, all lines."""
        found = [content for key, content in sorted(self.objects().items()) if kind in key]
        return [json.loads(line) for content in found for line in content.splitlines()]

    def error_codes(self) -> list[str]:
        """The codes in the error log, newest first."""
        errors = self.call("GetDeliveryErrors")["Errors"]
        return [json.loads(error["Message"])["errorCode"] for error in errors]

    def counters(self) -> dict[str, Any]:
        """What DescribeDeliveries says."""
        (described,) = self.call("DescribeDeliveries")["Deliveries"]
        assert isinstance(described, dict)
        return described

    def call(self, operation: str, **params: Any) -> Any:
        """An operation of Millstream's own on this delivery stream."""
        return operate(self._server.url, operation, DeliveryStreamName=self.name, **params)
