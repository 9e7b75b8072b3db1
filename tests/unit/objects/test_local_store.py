"""A directory as object store: whole objects or none, whatever happens on the way."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from millstream.objects.local import LocalStores
from millstream.objects.port import ObjectMissing, StoreError


def body(*pieces: bytes) -> Callable[[], Iterable[bytes]]:
    return lambda: iter(pieces)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "objects"


@pytest.fixture
def stores(directory: Path) -> LocalStores:
    return LocalStores(directory)


async def keys(stores: LocalStores, prefix: str = "") -> list[str]:
    return [info.key async for info in stores.bucket("lake").list(prefix)]


def files(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


async def test_objects_are_files_that_tools_find(stores: LocalStores, directory: Path) -> None:
    await stores.bucket("lake").put("ticks/sector=ENERGY/one.json", body(b"1", b"2"))
    assert (directory / "lake/ticks/sector=ENERGY/one.json").read_bytes() == b"12"
    assert files(directory) == ["lake/ticks/sector=ENERGY/one.json"]


async def test_an_object_beside_objects_below_it(stores: LocalStores) -> None:
    bucket = stores.bucket("lake")
    for first, second in (("a", "a/b"), ("c/d", "c")):
        await bucket.put(first, body(b"first"))
        await bucket.put(second, body(b"second"))
        await bucket.put(first, body(b"again"))
        assert (await bucket.get(first), await bucket.get(second)) == (b"again", b"second")
    assert await keys(stores) == ["a", "a/b", "c", "c/d"]
    await bucket.delete("a")
    await bucket.delete("c")
    assert await keys(stores) == ["a/b", "c/d"]


async def test_listings_take_any_prefix(stores: LocalStores) -> None:
    for key in ("2026/11/a", "2026/11/b", "2026/12/a", "202", "//x", ".%uploads/x"):
        await stores.bucket("lake").put(key, body(b""))
    assert await keys(stores, "2026/1") == ["2026/11/a", "2026/11/b", "2026/12/a"]
    assert await keys(stores, "2026/11/") == ["2026/11/a", "2026/11/b"]
    assert await keys(stores, "20") == ["202", "2026/11/a", "2026/11/b", "2026/12/a"]
    assert await keys(stores, "/") == ["//x"]
    assert await keys(stores, ".") == [".%uploads/x"]
    assert await keys(stores, "nothing/here") == []


async def test_a_missing_object_is_missing_also_without_its_bucket(stores: LocalStores) -> None:
    with pytest.raises(ObjectMissing):
        await stores.bucket("no-bucket").get("x")
    await stores.bucket("no-bucket").delete("x")


@pytest.mark.parametrize("name", ["ab", "A-b", "a..b", "-ab", "ab-", "1.2.3.4", "xn--abc", "../up", "a/b", "x" * 64])
def test_names_that_no_bucket_can_have(stores: LocalStores, name: str) -> None:
    with pytest.raises(StoreError) as caught:
        stores.bucket(name)
    assert caught.value.code == "InvalidBucketName"


@pytest.mark.parametrize(
    ("key", "code"), [("", "InvalidURI"), ("\ud800", "InvalidURI"), ("é" * 513, "KeyTooLongError")]
)
async def test_keys_that_no_object_can_have(stores: LocalStores, key: str, code: str) -> None:
    with pytest.raises(StoreError) as caught:
        await stores.bucket("lake").put(key, body(b""))
    assert caught.value.code == code


async def test_the_longest_key_fits(stores: LocalStores) -> None:
    key = "%" * 1024
    await stores.bucket("lake").put(key, body(b"x"))
    assert await keys(stores) == [key]


async def test_a_body_that_fails_leaves_the_old_object_alone(stores: LocalStores, directory: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise LookupError("no more")

    await stores.bucket("lake").put("a", body(b"old"))
    with pytest.raises(LookupError):
        await stores.bucket("lake").put("a", broken)
    assert await stores.bucket("lake").get("a") == b"old"
    assert files(directory) == ["lake/a"]


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, "InsufficientStorage"), (errno.EDQUOT, "InsufficientStorage"), (errno.EIO, "InternalError")],
)
@pytest.mark.parametrize("call", ["write", "fdatasync", "replace"])
async def test_what_the_disk_refuses_is_told_and_cleaned_up(
    stores: LocalStores, directory: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: str, call: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(StoreError) as caught:
            await stores.bucket("lake").put("a/b", body(b"x"))
    assert caught.value.code == code
    assert os.strerror(number) in str(caught.value)
    assert files(directory) == []
    await stores.bucket("lake").put("a/b", body(b"x"))
    assert await keys(stores) == ["a/b"]


async def test_a_file_where_a_bucket_should_be(stores: LocalStores, directory: Path) -> None:
    directory.mkdir()
    (directory / "lake").write_text("in the way")
    with pytest.raises(StoreError) as caught:
        await stores.bucket("lake").put("a", body(b"x"))
    assert caught.value.code == "InternalError"
    assert str(directory / "lake") in str(caught.value)


async def test_directories_that_somebody_removes_are_made_again(stores: LocalStores, directory: Path) -> None:
    await stores.bucket("lake").put("a/b/c", body(b"1"))
    (directory / "lake/a/b/c").unlink()
    (directory / "lake/a/b").rmdir()
    (directory / "lake/a").rmdir()
    await stores.bucket("lake").put("a/b/c", body(b"2"))
    assert await stores.bucket("lake").get("a/b/c") == b"2"


async def test_every_new_name_is_synced(stores: LocalStores, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []
    fsync = os.fsync

    def noted(fd: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{fd}"))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", noted)
    await stores.bucket("lake").put("a/b/c", body(b"1"))
    expected = {str(directory.parent), *(str(directory / name) for name in (".", "lake", "lake/a", "lake/a/b"))}
    assert {os.path.normpath(path) for path in expected} <= set(synced)
    synced.clear()
    await stores.bucket("lake").put("a/b/d", body(b"1"))
    assert synced == [str(directory / "lake/a/b")]


async def test_what_a_crash_left_behind_is_cleaned_up_but_not_what_is_being_written(directory: Path) -> None:
    first = LocalStores(directory)
    began, go_on = threading.Event(), threading.Event()

    def slow() -> Iterator[bytes]:
        yield b"one "
        began.set()
        go_on.wait(10)
        yield b"two"

    put = asyncio.create_task(first.bucket("lake").put("slow", slow))
    await asyncio.to_thread(began.wait, 10)
    (directory / "lake/.%uploads/leftover").write_bytes(b"of a crash")
    second = LocalStores(directory)
    assert len(files(directory)) == 1
    assert await keys(second) == []
    go_on.set()
    assert await put == 7
    assert files(directory) == ["lake/slow"]


async def test_a_cancelled_put_stops_and_leaves_nothing(stores: LocalStores, directory: Path) -> None:
    began = threading.Event()
    made = 0

    def endless() -> Iterator[bytes]:
        nonlocal made
        while True:
            made += 1
            yield b"x"
            began.set()

    put = asyncio.create_task(stores.bucket("lake").put("endless", endless))
    await asyncio.to_thread(began.wait, 10)
    put.cancel()
    with pytest.raises(asyncio.CancelledError):
        await put
    after = made
    assert files(directory) == []
    await asyncio.sleep(0)
    assert made == after


async def test_puts_at_once_do_not_meet(stores: LocalStores) -> None:
    bucket = stores.bucket("lake")
    names = ["a", "a/b", "a/b/c", "a/b/c/d"] * 5
    await asyncio.gather(*(bucket.put(name, body(name.encode())) for name in names))
    assert await keys(stores) == sorted(set(names))
    for name in set(names):
        assert await bucket.get(name) == name.encode()
