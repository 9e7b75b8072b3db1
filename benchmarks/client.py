"""A plain client for the calls around a measurement: one connection, one call at a time."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any, Self

from benchmarks.load import LoadError
from benchmarks.rendering import FIREHOSE, KINESIS, STREAM_NAME, authorization

ACTIVE_SECONDS_MAX = 30.0
ROLE_ARN = "arn:aws:iam::123456789012:role/firehose"


class Client:
    """Calls a server on this machine. A context manager: leaving it closes the connection."""

    def __init__(self, port: int, timeout_seconds: float = 30.0) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def call(self, operation: str, *, service: str = KINESIS, **params: object) -> dict[str, Any]:
        """Calls an operation and returns its output. Raises LoadError on anything but a 200."""
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"{service}.{operation}"}
        status, body = self._exchange("POST", "/", service, json.dumps(params), headers)
        if status != http.client.OK:
            raise LoadError(f"{operation} was answered with {status}: {body[:300]!r}")
        output: dict[str, Any] = json.loads(body or b"{}")
        return output

    def _exchange(
        self, method: str, path: str, service: str, body: str = "", headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """One request; its status and the reply's body."""
        signed = {**(headers or {}), "X-Amz-Date": "20260101T000000Z", "Authorization": authorization(service)}
        try:
            self._connection.request(method, path, body, signed)
            reply = self._connection.getresponse()
            return reply.status, reply.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise LoadError(f"{method} {path} {headers or ''} failed: {error!r}") from error

    def create_delivery_stream(self, name: str = STREAM_NAME, **destination: object) -> None:
        """Creates a delivery stream to the benchmarks' bucket at the server itself, and waits for it.

        `destination` are members of ExtendedS3DestinationConfiguration. Where buckets are made by S3's API, the bucket
        is; others answer that with an error, which does not matter.
        """
        self._exchange("PUT", f"/{STREAM_NAME}", "s3")
        self.call(
            "CreateDeliveryStream",
            service=FIREHOSE,
            DeliveryStreamName=name,
            ExtendedS3DestinationConfiguration={
                "RoleARN": ROLE_ARN,
                "BucketARN": f"arn:aws:s3:::{STREAM_NAME}",
                **destination,
            },
        )
        deadline = time.monotonic() + ACTIVE_SECONDS_MAX
        while time.monotonic() < deadline:
            reply = self.call("DescribeDeliveryStream", service=FIREHOSE, DeliveryStreamName=name)
            if reply["DeliveryStreamDescription"]["DeliveryStreamStatus"] == "ACTIVE":
                return
            time.sleep(0.02)
        raise LoadError("the delivery stream did not become ACTIVE")

    def create_stream(self, shards: int, name: str = STREAM_NAME) -> list[str]:
        """Creates a stream, waits until it is ACTIVE and returns its shards' ids."""
        self.call("CreateStream", StreamName=name, ShardCount=shards)
        deadline = time.monotonic() + ACTIVE_SECONDS_MAX
        while time.monotonic() < deadline:
            description = self.call("DescribeStream", StreamName=name)["StreamDescription"]
            if description["StreamStatus"] == "ACTIVE":
                return [shard["ShardId"] for shard in description["Shards"]]
            time.sleep(0.02)
        raise LoadError("the stream did not become ACTIVE")

    def records_from(self, shard: str, time_s: float, limit: int) -> list[dict[str, Any]]:
        """Up to `limit` records of a shard from a time on: GetShardIterator AT_TIMESTAMP, then GetRecords."""
        iterator = self.call(
            "GetShardIterator",
            StreamName=STREAM_NAME,
            ShardId=shard,
            ShardIteratorType="AT_TIMESTAMP",
            Timestamp=time_s,
        )
        output = self.call("GetRecords", ShardIterator=iterator["ShardIterator"], Limit=limit)
        records: list[dict[str, Any]] = output["Records"]
        return records
