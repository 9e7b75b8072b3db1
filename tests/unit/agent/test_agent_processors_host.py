"""Host metadata, asked of a real HTTP server in the place of EC2's."""

from __future__ import annotations

import http.server
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from millstream.agent.hostmetadata import ec2_metadata, own_metadata

DOCUMENT = {
    "privateIp": "10.0.0.5",
    "availabilityZone": "eu-west-1a",
    "instanceId": "i-0123456789abcdef0",
    "instanceType": "t3.small",
    "accountId": "123456789012",
    "imageId": "ami-1",
    "region": "eu-west-1",
    "kernelId": None,
}


class MetadataService(http.server.BaseHTTPRequestHandler):
    """Version 2 of the instance metadata service."""

    document: bytes = json.dumps(DOCUMENT).encode()

    def do_PUT(self) -> None:
        is_good = self.path == "/latest/api/token" and self.headers["X-aws-ec2-metadata-token-ttl-seconds"]
        self._answer(200 if is_good else 400, b"the-token")

    def do_GET(self) -> None:
        is_good = self.headers["X-aws-ec2-metadata-token"] == "the-token"
        self._answer(200 if is_good else 401, self.document)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def endpoint(request: pytest.FixtureRequest) -> Iterator[str]:
    handler = type("Service", (MetadataService,), {"document": getattr(request, "param", MetadataService.document)})
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_an_instance_tells_its_identity(endpoint: str) -> None:
    expected = {name: DOCUMENT[name] for name in DOCUMENT if name not in ("imageId", "kernelId")}
    assert ec2_metadata({"AWS_EC2_METADATA_SERVICE_ENDPOINT": endpoint}) == {**expected, "amiId": "ami-1"}


@pytest.mark.parametrize("endpoint", [b"<html>", b"[]", b"\xff"], indirect=True)
def test_an_answer_that_makes_no_sense_is_no_ec2(endpoint: str) -> None:
    assert ec2_metadata({"AWS_EC2_METADATA_SERVICE_ENDPOINT": endpoint}) is None


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:1", "nonsense", "http://[::1", "http://127.0.0.1:99999"])
def test_no_service_is_no_ec2(endpoint: str) -> None:
    assert ec2_metadata({"AWS_EC2_METADATA_SERVICE_ENDPOINT": endpoint}) is None


def test_the_service_may_be_switched_off(endpoint: str) -> None:
    environment = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": endpoint, "AWS_EC2_METADATA_DISABLED": "true"}
    assert ec2_metadata(environment) is None


def test_a_service_that_does_not_answer_is_not_waited_for() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        before_s = time.monotonic()
        assert ec2_metadata({"AWS_EC2_METADATA_SERVICE_ENDPOINT": endpoint}, timeout_s=0.05) is None
        assert time.monotonic() - before_s < 5


def test_a_host_elsewhere_tells_its_own_names() -> None:
    found = own_metadata()
    assert found["hostName"] == socket.gethostname()
    assert found["operatingSystem"]
    assert found["architecture"]
    assert found["privateIp"] in (None, *found["addresses"])
