"""What there is to tell of the host that the agent runs on: its instance's metadata on EC2, elsewhere its own names.

Source: "Use the Instance Metadata Service to access instance metadata" and "Instance identity documents" in the Amazon
EC2 user guide; only version 2 of the service is spoken. AWS_EC2_METADATA_DISABLED and
AWS_EC2_METADATA_SERVICE_ENDPOINT are heeded as by AWS's tools.
"""

from __future__ import annotations

import datetime as dt
import functools
import http.client
import os
import platform
import socket
import time
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

TIMEOUT_S = 0.5
_ENDPOINT = "http://169.254.169.254"
_ANSWER_BYTES_MAX = 65_536
_DOCUMENT = {
    "privateIp": "privateIp",
    "availabilityZone": "availabilityZone",
    "instanceId": "instanceId",
    "instanceType": "instanceType",
    "accountId": "accountId",
    "amiId": "imageId",
    "region": "region",
}
_MACHINE_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
_SOMEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))  # reserved for documentation


@functools.cache
def host_metadata() -> dict[str, Any]:
    """This host's metadata, found out once a process. Blocks for up to three short time limits, never raises."""
    found = ec2_metadata(os.environ)
    return {**(own_metadata() if found is None else found), "metadataTimestamp": iso8601(time.time_ns() // 1_000_000)}


def ec2_metadata(environment: Mapping[str, str], timeout_s: float = TIMEOUT_S) -> dict[str, Any] | None:
    """What the instance's identity document says, with the Java agent's names; None where there is no EC2."""
    if environment.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return None
    try:
        connection = _connection(environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or _ENDPOINT, timeout_s)
        try:
            document = msgspec.json.decode(_identity_document(connection), type=dict[str, Any])
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError):  # DecodeError is a ValueError
        return None
    return {name: document.get(source) for name, source in _DOCUMENT.items()}


def _connection(endpoint: str, timeout_s: float) -> http.client.HTTPConnection:
    parts = urllib.parse.urlsplit(endpoint)
    if not parts.hostname:
        raise ValueError(f"{endpoint!r} names no host")
    return http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=timeout_s)


def _identity_document(connection: http.client.HTTPConnection) -> bytes:
    lifetime = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    token = _ask(connection, "PUT", "/latest/api/token", lifetime).decode("ascii")
    path = "/latest/dynamic/instance-identity/document"
    return _ask(connection, "GET", path, {"X-aws-ec2-metadata-token": token})


def _ask(connection: http.client.HTTPConnection, method: str, path: str, headers: dict[str, str]) -> bytes:
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    body = response.read(_ANSWER_BYTES_MAX)
    if response.status != 200:
        raise OSError(f"the instance metadata service answered {response.status} to {path}")
    return body


@functools.lru_cache(maxsize=1)
def iso8601(now_ms: int) -> str:
    """A time as `2024-05-17T10:05:03.000Z`."""
    moment = dt.datetime.fromtimestamp(now_ms / 1000, dt.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def own_metadata() -> dict[str, Any]:
    """What a host knows of itself without asking the network; null for what it does not."""
    addresses = [address for family, far in _SOMEWHERE if (address := _address_towards(family, far))]
    return {
        "hostName": socket.gethostname(),
        "privateIp": addresses[0] if addresses else None,
        "addresses": addresses,
        "operatingSystem": _operating_system(),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "machineId": _machine_id(),
    }


def _address_towards(family: socket.AddressFamily, far: str) -> str | None:
    """The host's address on the way to `far`; no packet is sent."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))
            address: str = probe.getsockname()[0]
            return address
    except OSError:
        return None


def _operating_system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _machine_id() -> str | None:
    for path in _MACHINE_IDS:
        try:
            return path.read_text("ascii").strip() or None
        except (OSError, UnicodeDecodeError):
            continue
    return None
