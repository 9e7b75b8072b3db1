"""Bad input to a live server: answered with a 4xx or cut off; never a 500, memory stays bounded, others are served."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import cbor2
import httpx
import pytest

from support.kinesis import Kinesis, call_raw, connect, create_stream, new_account, refusal, register_consumer
from support.server import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MIB = 1 << 20
GROWTH_BYTES_MAX = 100 * MIB
LATENCY_S_MAX = 2.0
CUT_OFF_S_MAX = 45.0
JSON = "application/x-amz-json-1.1"
CBOR = "application/x-amz-cbor-1.1"
HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that must have nothing to complain about at the end."""
    directory = tmp_path_factory.mktemp("bad-input")
    server = Server(directory / "data", directory / "server.log")
    try:
        yield server.start()
        assert server.terminate() == 0
        assert "Traceback" not in server.log_text()
        assert "panicked" not in server.log_text()
    finally:
        server.close()


@pytest.fixture(autouse=True)
def _unharmed(server: Server) -> Iterator[None]:
    """After each test the server serves as before, and its memory has not grown much."""
    kinesis = connect(server.url, new_account())
    stream = create_stream(kinesis)
    before = server.rss_bytes()
    yield
    kinesis.put_record(StreamName=stream, Data=b"x", PartitionKey="k")
    assert server.rss_bytes() - before < GROWTH_BYTES_MAX


class Bystander:
    """Another client, whose puts must go on being answered."""

    def __init__(self, server: Server) -> None:
        self._kinesis: Kinesis = connect(server.url, new_account())
        self._stream = create_stream(self._kinesis)

    def check(self) -> None:
        """A put is answered, in good time."""
        started = time.monotonic()
        self._kinesis.put_record(StreamName=self._stream, Data=b"x", PartitionKey="k")
        assert time.monotonic() - started < LATENCY_S_MAX


def exchange(server: Server, sent: bytes, *, half_close: bool = True) -> bytes:
    """Send bytes, say that no more will come, and return the answer: all until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        with suppress(OSError):  # cut off while we sent
            connection.sendall(sent)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        answer = b""
        with suppress(ConnectionError):
            while piece := connection.recv(65536):
                answer += piece
        return answer


def head(operation: str = "PutRecord", **headers: str) -> bytes:
    """A request's head, all but the headers about its body."""
    lines = ["POST / HTTP/1.1", "Host: localhost", f"X-Amz-Target: Kinesis_20131202.{operation}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def assert_refused(answer: bytes) -> None:
    """Nothing at all, or an HTTP/1.1 answer with a 4xx status."""
    if answer.startswith(b"HTTP/1."):
        assert answer.split(b" ", 2)[1].startswith(b"4"), answer[:200]


def test_random_bytes_instead_of_http(server: Server) -> None:
    rng = random.Random(11)
    for _ in range(200):
        assert_refused(exchange(server, rng.randbytes(rng.randrange(1, 3000))))


def test_http_that_goes_wrong(server: Server) -> None:
    rng = random.Random(12)
    sound = head(Content_Type=JSON, Content_Length="2") + b"{}"
    for _ in range(200):
        broken = bytearray(sound)
        for _ in range(rng.randrange(1, 6)):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        exchange(server, bytes(broken))


def test_http2_that_goes_wrong(server: Server) -> None:
    rng = random.Random(13)
    for _ in range(100):
        exchange(server, HTTP2_PREFACE + rng.randbytes(rng.randrange(0, 500)))
        settings = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
        frame = rng.randbytes(rng.randrange(1, 200))
        kind = rng.randrange(12)
        exchange(
            server,
            HTTP2_PREFACE + settings + len(frame).to_bytes(3) + bytes([kind, 0, 0, 0, 0, 1]) + frame,
        )


@pytest.mark.parametrize("content_type", [JSON, CBOR])
def test_random_bodies(server: Server, content_type: str) -> None:
    rng = random.Random(14)
    entry = {"Data": "eA==" if content_type == JSON else b"x", "PartitionKey": "k"}
    sound = {"StreamName": "nowhere", "Records": [entry] * 3, "Limit": 10, "Timestamp": 1700000000.5}
    whole = json.dumps(sound).encode() if content_type == JSON else cbor2.dumps(sound)
    operations = ["PutRecords", "GetShardIterator", "ListShards", "CreateStream", "SubscribeToShard"]
    with httpx.Client() as client:
        for i in range(600):
            body = bytearray(whole)
            for _ in range(rng.randrange(1, 8)):
                at = rng.randrange(len(body))
                body[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
            sent = rng.randbytes(rng.randrange(200)) if i % 4 == 0 else bytes(body)
            operation = operations[i % len(operations)]
            reply = call_raw(server.url, operation, sent, content_type=content_type, client=client)
            assert reply.status_code in {200, 400}, (operation, sent)


def test_deep_bodies(server: Server) -> None:
    for depth in (100, 10_000, 1_000_000):
        nested = b'{"StreamName":' + b'{"a":' * depth
        assert call_raw(server.url, "DescribeStream", nested).status_code == 400
        arrays = b"[" * depth + b"]" * depth
        assert call_raw(server.url, "DescribeStream", arrays).status_code == 400
        nested = b"\xa1\x61a" * depth
        assert call_raw(server.url, "DescribeStream", nested, content_type=CBOR).status_code == 400
        assert call_raw(server.url, "DescribeStream", b"\x81" * depth, content_type=CBOR).status_code == 400


def test_truncated_bodies(server: Server) -> None:
    whole = json.dumps({"StreamName": "nowhere", "Data": "eA==", "PartitionKey": "k"}).encode()
    for length in range(0, len(whole), 5):
        sent = head(Content_Type=JSON, Content_Length=str(len(whole))) + whole[:length]
        assert_refused(exchange(server, sent))
    chunked = head(Content_Type=JSON, Transfer_Encoding="chunked")
    for tail in (b"", b"5", b"5\r\n{", b"zz\r\n", b"ffffffffffffffff\r\n{", b"-1\r\n"):
        assert_refused(exchange(server, chunked + tail))


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "99999999999999999999", "5, 6", ""])
def test_lengths_that_are_none(server: Server, length: str) -> None:
    assert_refused(exchange(server, head(Content_Type=JSON, Content_Length=length) + b"{}"))


def test_100_mib_declared(server: Server) -> None:
    sent = head(Content_Type=JSON, Content_Length=str(100 * MIB)) + b"{"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(sent)
        answer = connection.recv(65536)
    assert answer.split(b" ", 2)[1] == b"413", answer[:200]


@pytest.mark.parametrize("way", ["declared", "chunked"])
def test_100_mib_sent(server: Server, way: str) -> None:
    peak = 0

    def body() -> Iterator[bytes]:
        nonlocal peak
        for i in range(100):
            if i % 20 == 0:
                peak = max(peak, server.rss_bytes())
            yield b"x" * MIB

    before = server.rss_bytes()
    headers = {"X-Amz-Target": "Kinesis_20131202.PutRecord", "Content-Type": JSON}
    if way == "declared":
        headers["Content-Length"] = str(100 * MIB)
    with suppress(httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):  # cut off
        reply = httpx.post(server.url, content=body(), headers=headers, timeout=30)
        assert reply.status_code == 413
    assert peak - before < GROWTH_BYTES_MAX


def test_heads_that_do_not_end(server: Server) -> None:
    for sent in (
        b"GET /" + b"a" * MIB + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * MIB + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 50_000 + b"\r\n",
        head(Content_Type=JSON, Authorization="AWS4-HMAC-SHA256 Credential=" + "/" * 60_000) + b"{}",
    ):
        assert_refused(exchange(server, sent))


def test_odd_heads(server: Server) -> None:
    with httpx.Client() as client:
        for name, value in [
            ("Authorization", "AWS4-HMAC-SHA256 Credential=///, SignedHeaders=, Signature="),
            ("Authorization", "Basic eDp5"),
            ("Authorization", "\xff\xfe"),
            ("Authorization", "AWS4-HMAC-SHA256 Credential=x/y/../../etc/kinesis/aws4_request"),
            ("Content-Encoding", "gzip"),
            ("Expect", "100-continue"),
            ("X-Amz-Target", "\xe9"),
            ("X-Amz-Target", "Kinesis_20131202.__init__"),
        ]:
            headers = {
                b"X-Amz-Target": b"Kinesis_20131202.ListStreams",
                b"Content-Type": JSON.encode(),
                name.encode(): value.encode("latin-1"),
            }
            reply = client.post(server.url, content=b"{}", headers=list(headers.items()))
            assert reply.status_code < 500, (name, value)


async def trickle(server: Server, sent: bytes) -> float:
    """Send a byte now and then until cut off; returns after how many seconds that was."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    started = time.monotonic()
    closed = asyncio.ensure_future(reader.read())
    try:
        for byte in sent:
            if closed.done() or writer.is_closing():
                break
            writer.write(bytes([byte]))
            await asyncio.wait([closed], timeout=0.5)
        await asyncio.wait([closed], timeout=CUT_OFF_S_MAX)
    finally:
        with suppress(ConnectionError):
            if closed.done():
                assert_refused(closed.result())
        closed.cancel()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    return time.monotonic() - started


async def test_slow_clients_are_cut_off_and_others_are_served(server: Server) -> None:
    bystander = await asyncio.to_thread(Bystander, server)
    body = head(Content_Type=JSON, Content_Length="100000")
    kinds = [head() + b"X: y\r\n" * 100, body + b" " * 100_000, HTTP2_PREFACE + b"\x00" * 1000]
    slow = [asyncio.ensure_future(trickle(server, kind)) for kind in kinds[:2] for _ in range(150)]
    while not all(task.done() for task in slow):
        await asyncio.to_thread(bystander.check)
        await asyncio.wait(slow, timeout=0.5)
    assert max(task.result() for task in slow) < CUT_OFF_S_MAX


def test_connections_that_say_nothing(server: Server) -> None:
    bystander = Bystander(server)
    with ExitStack() as connections:
        for i in range(900):
            connections.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=5))
            if i % 100 == 0:
                bystander.check()
        bystander.check()
    bystander.check()


def test_clients_that_do_not_read(server: Server) -> None:
    bystander = Bystander(server)
    account = new_account()
    kinesis = connect(server.url, account)
    stream = create_stream(kinesis)
    for _ in range(8):
        kinesis.put_record(StreamName=stream, Data=bytes(MIB - 1), PartitionKey="k")
    where = {"StreamName": stream, "ShardId": "shardId-0", "ShardIteratorType": "TRIM_HORIZON"}
    body = json.dumps(call_raw(server.url, "GetShardIterator", where, account=account).json()).encode()
    scope = f"AWS4-HMAC-SHA256 Credential={account}/20260101/us-east-1/kinesis/aws4_request, Signature=0"
    sent = head("GetRecords", Content_Type=JSON, Content_Length=str(len(body)), Authorization=scope) + body
    with ExitStack() as connections:
        for _ in range(5):
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=5)
            connections.enter_context(connection)
            connection.sendall(sent)
        for _ in range(5):
            bystander.check()


def test_subscribers_that_do_not_read(server: Server) -> None:
    account = new_account()
    kinesis = connect(server.url, account)
    stream = create_stream(kinesis)
    arn = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"]
    scope = f"AWS4-HMAC-SHA256 Credential={account}/20260101/us-east-1/kinesis/aws4_request, Signature=0"
    with ExitStack() as connections:
        for i in range(5):
            consumer = register_consumer(kinesis, arn, f"reader-{i}")
            position = {"Type": "TRIM_HORIZON"}
            call = {"ConsumerARN": consumer, "ShardId": "shardId-0", "StartingPosition": position}
            body = json.dumps(call).encode()
            sent = head("SubscribeToShard", Content_Type=JSON, Content_Length=str(len(body)), Authorization=scope)
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=5)
            connections.enter_context(connection)
            connection.sendall(sent + body)
        for _ in range(40):
            entries = [{"Data": bytes(MIB - 1), "PartitionKey": "k"}] * 2
            assert kinesis.put_records(StreamName=stream, Records=entries)["FailedRecordCount"] == 0


def test_requests_in_one_go(server: Server) -> None:
    """Pipelined requests are all answered, in order."""
    one = head("ListStreams", Content_Type=JSON, Content_Length="2") + b"{}"
    two = head("DescribeStream", Content_Type=JSON, Content_Length="2") + b"{}"
    last = head("ListStreams", Content_Type=JSON, Content_Length="2", Connection="close") + b"{}"
    answer = exchange(server, (one + two) * 20 + last, half_close=False)
    assert answer.count(b"HTTP/1.1 200") == 21
    assert answer.count(b"HTTP/1.1 400") == 20


def test_a_flood_of_streams_on_one_connection(server: Server) -> None:
    check: Callable[[], None] = Bystander(server).check

    async def flood() -> None:
        async with httpx.AsyncClient(http1=False, http2=True, timeout=30) as client:
            headers = {"X-Amz-Target": "Kinesis_20131202.ListStreams", "Content-Type": JSON}
            calls = (client.post(server.url, content=b"{}", headers=headers) for _ in range(500))
            assert {reply.status_code for reply in await asyncio.gather(*calls)} == {200}

    asyncio.run(flood())
    check()


def test_more_shards_than_a_machine_holds(server: Server) -> None:
    many = 2**31 - 1
    kinesis = connect(server.url, new_account())
    stream = create_stream(kinesis)
    on_demand = {"StreamModeDetails": {"StreamMode": "ON_DEMAND"}}
    kinesis.update_account_settings(MinimumThroughputBillingCommitment={"Status": "ENABLED"})
    growing = create_stream(kinesis, None, **on_demand)
    scaling = {"TargetShardCount": many, "ScalingType": "UNIFORM_SCALING"}
    for call, params in [
        (kinesis.create_stream, {"StreamName": "large", "ShardCount": many}),
        (kinesis.create_stream, {"StreamName": "large", "WarmThroughputMiBps": many, **on_demand}),
        (kinesis.update_shard_count, {"StreamName": stream, **scaling}),
        (kinesis.update_stream_warm_throughput, {"StreamName": growing, "WarmThroughputMiBps": many}),
    ]:
        assert refusal(call, **params).code == "LimitExceededException"
