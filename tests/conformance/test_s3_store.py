"""The object stores' contract, on a directory and on S3 servers; and how S3's failures are told."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from millstream.objects import (
    Attributes,
    Bucket,
    ObjectMissing,
    ObjectStores,
    StoreError,
    StoreSettings,
    from_settings,
    s3,
)
from support.certificates import certificates
from support.faultyproxy import Fault, FaultyProxy, Request, at_random, faulty_proxy
from support.s3server import S3Server, moto_server, seaweed_server

ODD_KEYS = ["/x", "a//b", "a/", "a b/ü%25+=?#&.x", "~*{}[]<>|\\^`'\"!", "a\tb", "x" * 900 + "/y", "日本/" + "語" * 90]


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with moto_server(tmp_path_factory.mktemp("moto")) as server:
        server.client().create_bucket(Bucket="lake")
        yield server


@pytest.fixture(scope="module")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with seaweed_server(tmp_path_factory.mktemp("seaweed")) as server:
        server.client().create_bucket(Bucket="lake")
        yield server


@pytest.fixture(params=["local", "moto", "seaweed"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path) -> Bucket:
    settings = {} if request.param == "local" else request.getfixturevalue(request.param).settings
    return from_settings(StoreSettings(**settings), tmp_path / "objects").bucket("lake")


def stores_of(server: S3Server, **settings: Any) -> ObjectStores:
    return from_settings(StoreSettings(**server.settings | settings), "unused")


def body(*pieces: bytes) -> Callable[[], Iterable[bytes]]:
    return lambda: iter(pieces)


async def keys(bucket: Bucket, prefix: str = "") -> list[str]:
    return [info.key async for info in bucket.list(prefix)]


async def refusal(call: Any) -> StoreError:
    with pytest.raises(StoreError) as caught:
        await call
    return caught.value


async def test_an_object_is_put_replaced_listed_and_deleted(bucket: Bucket) -> None:
    assert await bucket.put("orders/a", body(b"one ", b"two")) == 7
    assert await bucket.get("orders/a") == b"one two"
    assert await bucket.put("orders/a", body(b"new")) == 3
    assert await bucket.put("orders/empty", body()) == 0
    infos = [info async for info in bucket.list("orders/")]
    assert [(info.key, info.size_bytes) for info in infos] == [("orders/a", 3), ("orders/empty", 0)]
    assert infos[0].modified_ms > 1_600_000_000_000
    await bucket.delete("orders/a")
    await bucket.delete("orders/a")
    assert await keys(bucket, "orders/") == ["orders/empty"]
    assert (await refusal(bucket.get("orders/a"))).code == "NoSuchKey"


async def test_large_objects_go_in_parts(bucket: Bucket) -> None:
    pieces = [os.urandom(1 << 20) for _ in range(11)]
    assert await bucket.put("large", body(*pieces)) == 11 << 20
    assert await bucket.get("large") == b"".join(pieces)


@pytest.mark.parametrize("key", ODD_KEYS, ids=range(len(ODD_KEYS)))
@pytest.mark.parametrize("bucket", ["local", "moto"], indirect=True)  # SeaweedFS itself cleans keys up
async def test_keys_are_kept_as_they_are(bucket: Bucket, key: str) -> None:
    await bucket.put(key, body(b"odd"))
    assert await bucket.get(key) == b"odd"
    assert key in await keys(bucket, key[:3])
    await bucket.delete(key)
    assert key not in await keys(bucket)


async def test_listings_go_by_any_prefix_in_order_and_over_pages(
    moto: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "PAGE_KEYS", 10)
    bucket = stores_of(moto).bucket("many")
    client = moto.client()
    client.create_bucket(Bucket="many")
    names = [f"p/{number:02}" for number in range(31)]
    for name in names:
        client.put_object(Bucket="many", Key=name, Body=b"")
    assert await keys(bucket, "p/0") == names[:10]
    assert await keys(bucket) == names


async def test_attributes_are_kept(moto: S3Server) -> None:
    bucket = stores_of(moto).bucket("lake")
    key_arn = "arn:aws:kms:us-east-1:123456789012:key/1234"
    for key in ("with", "//with"):
        await bucket.put(key, body(b"x"), Attributes(content_encoding="gzip", kms_key_arn=key_arn))
        head = moto.client().head_object(Bucket="lake", Key=key)
        assert head["ContentType"] == "application/octet-stream"
        assert head["ContentEncoding"] == "gzip"
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key_arn)


async def test_an_error_of_the_body_is_the_callers_and_leaves_nothing(bucket: Bucket) -> None:
    def broken() -> Iterator[bytes]:
        yield bytes(12 << 20)
        raise LookupError("the log is gone")

    with pytest.raises(LookupError, match="the log is gone"):
        await bucket.put("broken", broken)
    assert "broken" not in await keys(bucket)


async def test_a_cancelled_put_leaves_nothing_not_even_parts(moto: S3Server) -> None:
    bucket = stores_of(moto).bucket("lake")
    began = asyncio.Event()
    loop = asyncio.get_running_loop()

    def endless() -> Iterator[bytes]:
        while True:
            yield bytes(6 << 20)
            loop.call_soon_threadsafe(began.set)

    task = asyncio.create_task(bucket.put("endless", endless))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "Uploads" not in moto.client().list_multipart_uploads(Bucket="lake")
    assert "endless" not in await keys(bucket)


async def test_a_missing_bucket_is_named(moto: S3Server, seaweed: S3Server) -> None:
    for server in (moto, seaweed):
        for key in ("x", "//x"):
            error = await refusal(stores_of(server).bucket("no-such-bucket").put(key, body(b"x")))
            assert error.code == "NoSuchBucket"
            assert "no-such-bucket" in str(error)
            assert "create the bucket" in str(error)


async def test_wrong_credentials_are_told_apart(seaweed: S3Server) -> None:
    wrong_id = await refusal(stores_of(seaweed, s3_access_key_id="x").bucket("lake").put("x", body(b"x")))
    assert wrong_id.code == "InvalidAccessKeyId"
    assert "s3_access_key_id" in str(wrong_id)
    wrong_secret = await refusal(stores_of(seaweed, s3_secret_access_key="x").bucket("lake").put("x", body(b"x")))
    assert wrong_secret.code == "SignatureDoesNotMatch"
    assert "s3_secret_access_key" in str(wrong_secret)


async def test_no_credentials_is_told_as_that(moto: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    stores = stores_of(moto, s3_access_key_id=None, s3_secret_access_key=None)
    error = await refusal(stores.bucket("lake").put("x", body(b"x")))
    assert error.code == "AccessDenied"
    assert "AWS_ACCESS_KEY_ID" in str(error)


async def test_credentials_of_the_environment_do(seaweed: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", seaweed.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", seaweed.secret_key)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # of the user's AWS tools, perhaps ourselves
    bucket = stores_of(seaweed, s3_access_key_id=None, s3_secret_access_key=None).bucket("lake")
    await bucket.put("from-environment", body(b"x"))
    assert await bucket.get("from-environment") == b"x"


async def test_a_store_whose_certificate_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority, certificate, key = certificates(tmp_path)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(authority))
    with moto_server(tmp_path, certificate=certificate, key=key) as server:
        server.client().create_bucket(Bucket="lake")
        bucket = stores_of(server).bucket("lake")
        await bucket.put("secure", body(b"x"))
        assert await bucket.get("secure") == b"x"
        monkeypatch.delenv("AWS_CA_BUNDLE")
        error = await refusal(stores_of(server).bucket("lake").put("x", body(b"x")))
        assert error.code == "ServiceUnavailable"
        assert "AWS_CA_BUNDLE" in str(error)


async def test_nobody_there(moto: S3Server) -> None:
    error = await refusal(stores_of(moto, s3_endpoint="http://127.0.0.1:9").bucket("lake").put("x", body(b"x")))
    assert error.code == "ServiceUnavailable"
    assert "Connection refused" in str(error)
    assert "s3_endpoint" in str(error)


@pytest.fixture
def proxy(moto: S3Server) -> Iterator[FaultyProxy]:
    with faulty_proxy(moto.url, lambda _: Fault.NONE) as proxy:
        yield proxy


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.SLOW_DOWN, "SlowDown"),
        (Fault.FORBIDDEN, "AccessDenied"),
        (Fault.DROPPED, "ServiceUnavailable"),
        (Fault.APPLIED_BUT_500, "InternalError"),
        (Fault.CUT_BUT_200, "IncompleteBody"),
        (Fault.HANGING, "RequestTimeout"),
    ],
)
async def test_what_goes_wrong_is_told_in_s3s_words(
    moto: S3Server, proxy: FaultyProxy, fault: Fault, code: str
) -> None:
    proxy.choose = lambda request: fault if request.method == "PUT" else Fault.NONE
    bucket = stores_of(moto, s3_endpoint=proxy.url, s3_timeout_s=1.0).bucket("lake")
    assert (await refusal(bucket.put("faulty", body(b"some bytes")))).code == code
    proxy.heal()
    await bucket.put("faulty", body(b"some bytes"))
    assert await bucket.get("faulty") == b"some bytes"


async def test_who_may_not_look_may_put(moto: S3Server, proxy: FaultyProxy) -> None:
    proxy.choose = lambda request: Fault.FORBIDDEN if request.method == "HEAD" else Fault.NONE
    bucket = stores_of(moto, s3_endpoint=proxy.url).bucket("lake")
    assert await bucket.put("write-only", body(b"x")) == 1


async def test_a_failed_part_leaves_no_parts(moto: S3Server, proxy: FaultyProxy) -> None:
    def choose(request: Request) -> Fault:
        return Fault.FORBIDDEN if "partNumber=2" in request.target else Fault.NONE

    proxy.choose = choose
    bucket = stores_of(moto, s3_endpoint=proxy.url).bucket("lake")
    assert (await refusal(bucket.put("parts", body(*[bytes(1 << 20)] * 12)))).code == "AccessDenied"
    assert "Uploads" not in moto.client().list_multipart_uploads(Bucket="lake")


@pytest.mark.parametrize("seed", range(2))
async def test_no_lie_is_believed(moto: S3Server, proxy: FaultyProxy, seed: int) -> None:
    faults = tuple(fault for fault in Fault if fault is not Fault.HANGING)
    proxy.choose = at_random(seed, 0.4, faults)
    bucket = stores_of(moto, s3_endpoint=proxy.url).bucket("lake")
    content = bytes(range(256)) * 40
    taken = 0
    for number in range(15):
        key = f"lies/{seed}/{number}"
        try:
            await bucket.put(key, body(content))
        except StoreError:
            continue
        taken += 1
        assert moto.contents("lake", key) == {key: content}
    assert 0 < taken < 15


async def test_missing_objects_are_missing(moto: S3Server) -> None:
    with pytest.raises(ObjectMissing):
        await stores_of(moto).bucket("lake").get("missing")
