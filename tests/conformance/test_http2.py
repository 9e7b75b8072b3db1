"""HTTP/2: by prior knowledge on plain http, by ALPN over TLS; HTTP/1.1 on the same ports."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from typing import TYPE_CHECKING

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from support.kinesis import call_raw, connect, create_stream, read_shard
from support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_prior_knowledge(server: Server, stream: str, account: str) -> None:
    with httpx.Client(http1=False, http2=True) as client:
        for i in range(20):
            reply = call_raw(
                server.url,
                "PutRecord",
                {"StreamName": stream, "Data": "eA==", "PartitionKey": f"{i}"},
                account=account,
                client=client,
            )
            assert reply.http_version == "HTTP/2"
            assert reply.status_code == 200
            assert reply.headers["x-amzn-requestid"]


def test_large_bodies(server: Server, stream: str, account: str) -> None:
    with httpx.Client(http1=False, http2=True) as client:
        entry = {"Data": "A" * 1_000_000, "PartitionKey": "k"}
        body = {"StreamName": stream, "Records": [entry] * 8}
        reply = call_raw(server.url, "PutRecords", body, account=account, client=client)
        assert reply.json()["FailedRecordCount"] == 0
        where = {"StreamName": stream, "ShardId": "shardId-0", "ShardIteratorType": "TRIM_HORIZON"}
        start = call_raw(server.url, "GetShardIterator", where, account=account, client=client).json()
        records = call_raw(server.url, "GetRecords", start, account=account, client=client).json()["Records"]
        assert [record["Data"] for record in records] == [entry["Data"]] * 8


def test_errors(server: Server) -> None:
    with httpx.Client(http1=False, http2=True) as client:
        reply = call_raw(server.url, "DescribeStream", {"StreamName": "nowhere"}, client=client)
        assert reply.http_version == "HTTP/2"
        assert (reply.status_code, reply.json()["__type"]) == (400, "ResourceNotFoundException")


def self_signed(directory: Path) -> tuple[Path, Path]:
    """A certificate for the loopback address, and its key: paths of PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_path, key_path = directory / "certificate.pem", directory / "key.pem"
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate_path, key_path


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A server behind TLS, and the certificate to trust."""
    directory = tmp_path_factory.mktemp("tls")
    certificate, key = self_signed(directory)
    server = Server(
        directory / "data",
        directory / "server.log",
        options=("--tls-cert", str(certificate), "--tls-key", str(key)),
        scheme="https",
    )
    try:
        yield server.start(), certificate
    finally:
        server.close()


@pytest.mark.parametrize(("http2", "version"), [(True, "HTTP/2"), (False, "HTTP/1.1")])
def test_alpn(tls: tuple[Server, Path], http2: bool, version: str) -> None:
    server, certificate = tls
    trust = ssl.create_default_context(cafile=str(certificate))
    with httpx.Client(verify=trust, http2=http2) as client:
        reply = call_raw(server.url, "ListStreams", {}, client=client)
        assert (reply.status_code, reply.http_version) == (200, version)


def test_boto3_over_tls(tls: tuple[Server, Path]) -> None:
    server, certificate = tls
    kinesis = connect(server.url, verify=str(certificate))
    name = create_stream(kinesis)
    kinesis.put_record(StreamName=name, Data=b"x", PartitionKey="k")
    assert [record["Data"] for record in read_shard(kinesis, name)] == [b"x"]
