"""A delivery stream at work through updates and restarts: where each of its parts goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from millstream.catalog import CatalogError
from millstream.objects.port import StoreError
from support.pipelines import BACKUP, FUNCTION, Works, flush, stream_to_s3, until


@pytest.fixture
def works(tmp_path: Path) -> Works:
    return Works(tmp_path)


async def test_an_update_of_hints_repeats_an_upload_that_nobody_heard_of_under_its_key(works: Works) -> None:
    works.stores.faults = [_lie()]
    works.put(b"one\n")
    before = await works.follow(stream_to_s3())
    await until(lambda: works.stores.puts, "an upload", before.poll)
    await before.stop()
    after = await works.follow(stream_to_s3(2, BufferingHints={"SizeInMBs": 5, "IntervalInSeconds": 900}))
    await flush(after)
    await after.stop()
    assert works.objects() == [b"one\n"]


async def test_an_update_of_the_prefix_delivers_what_is_under_way_to_the_new_one(works: Works) -> None:
    works.stores.faults = [StoreError("AccessDenied", "not there")] * 100
    works.put(b"one\n")
    before = await works.follow(stream_to_s3(Prefix="old/"))
    await until(lambda: works.stores.puts, "an upload", before.poll)
    await before.stop()
    works.stores.faults.clear()
    after = await works.follow(stream_to_s3(2, Prefix="new/"))
    await flush(after)
    await after.stop()
    ((key, content),) = works.stores.objects["lake"].items()
    assert (key[:4], content) == ("new/", b"one\n")


def _lie() -> StoreError:
    error = StoreError("InternalError", "it was put all the same")
    error.applied = True  # type: ignore[attr-defined]
    return error


# Backups


async def test_a_backup_that_is_switched_on_later_begins_then(works: Works) -> None:
    works.put(b"before\n")
    pipeline = await works.follow(stream_to_s3())
    await flush(pipeline)
    await pipeline.stop()
    pipeline = await works.follow(stream_to_s3(2, **BACKUP))
    works.put(b"after\n")
    await flush(pipeline)
    await pipeline.stop()
    assert works.objects() == [b"after\n", b"before\n"]
    assert works.objects("backup") == [b"after\n"]


async def test_a_backup_is_begun_before_anything_is_delivered(works: Works) -> None:
    """Else a crash between the two would leave the backup without what was delivered until then."""
    saved: list[bytes] = []
    works.catalog.fail = saved.append
    pipeline = await works.follow(stream_to_s3(**BACKUP))
    assert list(works.documents()) == ["backup", "main"]
    main, backup = (saved.index(works.documents()[name].body) for name in ("main", "backup"))
    assert backup < main
    await pipeline.stop()


async def test_each_delivery_reads_the_log_by_itself(works: Works) -> None:
    pipeline = await works.follow(stream_to_s3(**BACKUP))
    assert len(works.sources) == 2
    await pipeline.stop()


# Functions


async def test_a_restart_does_not_take_a_delivered_journal_for_one_that_waits(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("millstream.firehose.processing.transformation.LAG_BYTES_MAX", 1_000)
    works.put(b"a" * 2_000)
    pipeline = await works.follow(stream_to_s3(**FUNCTION))
    await flush(pipeline)
    await pipeline.stop()
    works.put(b"b")
    pipeline = await works.follow(stream_to_s3(**FUNCTION))
    await flush(pipeline)
    await pipeline.stop()
    assert works.objects() == [b"A" * 2_000, b"B"]


async def test_a_function_taken_away_leaves_nothing_to_be_delivered_twice(works: Works) -> None:
    works.put(b"one")
    pipeline = await works.follow(stream_to_s3(**FUNCTION))
    await flush(pipeline)
    await pipeline.stop()
    works.rewrite("function", position=0)  # it is saved every few seconds only
    plain = stream_to_s3(2, BufferingHints={"SizeInMBs": 1, "IntervalInSeconds": 0})
    pipeline = await works.follow(plain)
    works.put(b"two")
    await flush(pipeline)
    await pipeline.stop()
    assert works.objects() == [b"ONE", b"two"]
    assert "function" not in works.documents()


async def test_what_a_function_has_made_is_delivered_before_what_comes_without_it(works: Works) -> None:
    works.stores.faults = [StoreError("SlowDown", "not now")] * 100
    works.put(b"one")
    pipeline = await works.follow(stream_to_s3(**FUNCTION))
    await until(lambda: works.stores.puts, "an attempt", pipeline.poll)
    await pipeline.stop()
    works.stores.faults.clear()
    works.put(b"two")
    pipeline = await works.follow(stream_to_s3(2))
    await until(lambda: pipeline.is_over, "the journal to be delivered", pipeline.poll)
    await pipeline.stop()
    assert works.objects() == [b"ONE"]
    pipeline = await works.follow(stream_to_s3(2))
    await flush(pipeline)
    await pipeline.stop()
    assert works.objects() == [b"ONE", b"two"]
    pipeline = await works.follow(stream_to_s3(3, **FUNCTION))  # and back
    works.put(b"three")
    await flush(pipeline)
    await pipeline.stop()
    assert works.objects() == [b"ONE", b"THREE", b"two"]


# Flushes


async def test_a_flush_is_done_although_a_checkpoint_cannot_be_saved_for_a_while(works: Works) -> None:
    pipeline = await works.follow(stream_to_s3(BufferingHints={"SizeInMBs": 1, "IntervalInSeconds": 900}, **FUNCTION))
    works.put(b"one")
    failures = [1]

    def fail(_: bytes) -> None:
        if failures:
            raise CatalogError(f"the disk is full, still {failures.pop()}")

    works.catalog.fail = fail
    pipeline.begin_flush()
    await until(works.objects, "the delivery", pipeline.poll)
    await pipeline.stop()
