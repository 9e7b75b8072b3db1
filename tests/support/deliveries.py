"""Delivery streams on a live server: its worker, load that knows what was acknowledged, and what was delivered."""

from __future__ import annotations

import gzip
import json
import os
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from millstream.objects.localpaths import UPLOADS
from support.configurations import ROLE
from support.firehose import Firehose, connect_firehose
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    from support.server import Server

RECORDS_PER_PUT = 50

_AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=000000000000/20261101/us-east-1/firehose/aws4_request, SignedHeaders=host, Signature=0"
)


def update_destination(firehose: Firehose, name: str, **members: Any) -> None:
    """UpdateDestination of an S3 destination, whatever its version."""
    described = firehose.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]
    firehose.update_destination(
        DeliveryStreamName=name,
        CurrentDeliveryStreamVersionId=described["VersionId"],
        DestinationId=described["Destinations"][0]["DestinationId"],
        ExtendedS3DestinationUpdate=members,
    )


def s3_destination(bucket: str, *, size_mib: int = 1, interval_s: int = 60, **members: Any) -> dict[str, Any]:
    """An ExtendedS3DestinationConfiguration."""
    hints = {"SizeInMBs": size_mib, "IntervalInSeconds": interval_s}
    return {"RoleARN": ROLE, "BucketARN": f"arn:aws:s3:::{bucket}", "BufferingHints": hints, **members}


def operate(url: str, operation: str, **params: Any) -> Any:
    """Call an operation of Millstream's own."""
    headers = {
        "x-amz-target": f"Millstream_20261101.{operation}",
        "content-type": "application/x-amz-json-1.1",
        "authorization": _AUTHORIZATION,
    }
    reply = httpx.post(url, headers=headers, json=params, timeout=60)
    assert reply.status_code == 200, reply.text
    return reply.json()


def flush(url: str, name: str, *, timeout_s: float = 60) -> None:
    """Have everything delivered that was put before."""

    def flushed() -> bool:
        return bool(operate(url, "FlushDeliveryStream", DeliveryStreamName=name, TimeoutMs=5_000)["Delivered"])

    wait_for(flushed, f"{name} to be flushed", timeout_s=timeout_s)


def worker_pid(server: Server) -> int | None:
    """The process id of the server's worker, if it has one now."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            command = status.with_name("cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == server.pid and b"millstream.server.worker" in command:
            return int(status.parent.name)
    return None


def kill_worker(server: Server) -> None:
    """SIGKILL the worker, as soon as there is one."""
    pid = wait_for(lambda: worker_pid(server), "a worker")
    os.kill(pid, 9)


def local_objects(server: Server, bucket: str) -> dict[str, bytes]:
    """The objects of a bucket of the local store, by key, decompressed where they are gzip."""
    root = server.data_dir / "objects" / bucket
    files = (path for path in root.rglob("*") if path.is_file() and UPLOADS not in path.parts)
    return {str(path.relative_to(root)): _plain(path.read_bytes()) for path in files}


def _plain(content: bytes) -> bytes:
    return gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content


class DeliveryWriters:
    """Threads that put records (a line of JSON each, unlike any other), each record once.

    A put whose answer never came may have been stored or not; what was acknowledged is in `acknowledged`.
    """

    def __init__(self, url: str, name: str, *, count: int = 2, fields: Iterable[str] = "abc") -> None:
        self.acknowledged: set[str] = set()
        self._url, self._name = url, name
        self._fields = list(fields)
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
        """Wait until `count` more records are acknowledged."""
        target = len(self.acknowledged) + count
        wait_for(lambda: len(self.acknowledged) >= target, f"{count} more records", timeout_s=60, interval_s=0.005)

    def _write(self, number: int) -> None:
        firehose = connect_firehose(self._url, read_timeout=10)
        counter = 0
        while not self._stopped.is_set():
            ids = [f"{number}-{counter + i}" for i in range(RECORDS_PER_PUT)]
            counter += RECORDS_PER_PUT
            records = [self._record(text, place) for place, text in enumerate(ids)]
            try:
                reply = firehose.put_record_batch(DeliveryStreamName=self._name, Records=records)
            except (ClientError, BotoCoreError):  # the server is down, or stopping
                self._stopped.wait(0.05)
                continue
            for text, answer in zip(ids, reply["RequestResponses"], strict=True):
                if "ErrorCode" not in answer:
                    self.acknowledged.add(text)

    def _record(self, text: str, place: int) -> dict[str, bytes]:
        document = {"id": text, "part": self._fields[place % len(self._fields)], "padding": "x" * (place * 7 % 900)}
        return {"Data": json.dumps(document).encode() + b"\n"}


def assert_exactly_once(writers: DeliveryWriters, objects: Iterable[bytes]) -> None:
    """Every acknowledged record is in the objects (lines of JSON), and no record twice."""
    assert_once(writers, [json.loads(line)["id"] for content in objects for line in content.splitlines()])


def assert_once(writers: DeliveryWriters, ids: Iterable[str]) -> None:
    """Every acknowledged record is among those delivered, and none of those is there twice."""
    found = Counter(ids)
    missing = writers.acknowledged - found.keys()
    twice = [text for text, count in found.items() if count > 1]
    assert not missing, f"{len(missing)} of {len(writers.acknowledged)} acknowledged records are missing"
    assert not twice, f"{len(twice)} records were delivered more than once"
