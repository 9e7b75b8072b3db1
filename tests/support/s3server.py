"""S3 servers to deliver to: SeaweedFS, a real object store, and moto, which is quicker to start and strict about names.

Both are servers in processes of their own, on free ports of the loopback address, gone when the test is over.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
import botocore.config
import botocore.exceptions

from support.ports import free_port
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from types_boto3_s3 import S3Client

ACCESS_KEY = "millstream-key"
SECRET_KEY = "millstream-secret"
REGION = "us-east-1"


class S3Server(NamedTuple):
    """A running server, and who is let in."""

    url: str
    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY

    @property
    def settings(self) -> dict[str, Any]:
        """StoreSettings of this server."""
        return {
            "object_store": "s3://",
            "s3_endpoint": self.url,
            "s3_access_key_id": self.access_key,
            "s3_secret_access_key": self.secret_key,
        }

    def client(self) -> S3Client:
        """A boto3 client that does not try again."""
        return _client(self)

    def contents(self, bucket: str, prefix: str = "") -> dict[str, bytes]:
        """All objects of a bucket, by key, as they are stored."""
        client = self.client()
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return {key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


@cache  # a client takes longer to make than most of what tests ask of it
def _client(server: S3Server) -> S3Client:
    return boto3.client(
        "s3",
        endpoint_url=server.url,
        region_name=REGION,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        config=botocore.config.Config(
            retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=10, s3={"addressing_style": "path"}
        ),
    )


@contextmanager
def moto_server(directory: Path, *, certificate: Path | None = None, key: Path | None = None) -> Iterator[S3Server]:
    """Run moto, with TLS if it is given a certificate."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    if certificate:
        command += ["-c", str(certificate), "-k", str(key)]
    with _running(command, directory / "moto.log") as ended:
        server = S3Server(f"{'https' if certificate else 'http'}://127.0.0.1:{port}")
        wait_for(lambda: ended() or _answers(server), f"moto at {server.url}")
        yield server


@contextmanager
def seaweed_server(directory: Path) -> Iterator[S3Server]:
    """Run SeaweedFS, which keeps its files in `directory`."""
    data = directory / "data"
    data.mkdir()
    credentials = [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}]
    identity = {"name": "millstream", "credentials": credentials, "actions": ["Admin", "Read", "Write", "List"]}
    config = directory / "s3.json"
    config.write_text(json.dumps({"identities": [identity]}))
    names = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc")
    ports = {name: free_port() for name in (*names, "s3.port", "s3.port.grpc")}
    command = [
        *(str(Path(sys.executable).with_name("weed")), "server", "-filer", "-s3", f"-s3.config={config}"),
        *(
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-s3.autoCreateBucket=false",
            "-master.telemetry=false",
        ),
        *("-master.volumePreallocate=false", "-master.volumeSizeLimitMB=64", "-volume.max=30", f"-dir={data}"),
        *(f"-{name}={port}" for name, port in ports.items()),
    ]
    with _running(command, directory / "seaweed.log") as ended:
        server = S3Server(f"http://127.0.0.1:{ports['s3.port']}")
        wait_for(lambda: ended() or _takes_objects(server), f"SeaweedFS at {server.url}", timeout_s=60, interval_s=0.1)
        yield server


@contextmanager
def _running(command: Sequence[str], log_path: Path) -> Iterator[Callable[[], bool]]:
    """Run a server; what it gives is to be asked while waiting, and fails when the server has ended by itself."""

    def ended() -> bool:
        assert process.poll() is None, f"{command[0]} ended at start:\n{log_path.read_text(errors='replace')[-4000:]}"
        return False

    with log_path.open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=log_path.parent,
        )
    try:
        yield ended
    finally:
        process.kill()
        process.wait()


def _answers(server: S3Server) -> bool:
    try:
        server.client().list_buckets()
    except botocore.exceptions.BotoCoreError:
        return False
    return True


def _takes_objects(server: S3Server) -> bool:
    """Whether an object can be put; the volumes come up after the gateway."""
    try:
        client = server.client()
        client.create_bucket(Bucket="warm-up")
        client.put_object(Bucket="warm-up", Key="x", Body=b"x")
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError):
        return False
    return True
