"""Saving progress: whatever becomes of one save, the next is done."""

from __future__ import annotations

import asyncio

import pytest

from millstream.catalog import CatalogError, VersionConflict
from millstream.firehose.engine.checkpoints import Checkpoints
from millstream.firehose.progress import MAIN_DELIVERY, Progress
from support.pipelines import LentCatalog, stream_to_s3

STREAM = stream_to_s3()


@pytest.fixture
def catalog() -> LentCatalog:
    return LentCatalog()


def _told_to_fail(_: bytes) -> None:
    raise CatalogError("nobody knows whether it was done")


async def test_a_save_that_failed_but_was_done_does_not_stop_the_next(catalog: LentCatalog) -> None:
    checkpoints = Checkpoints(lambda: catalog)
    _, saver = await checkpoints.load(STREAM, MAIN_DELIVERY)
    await saver.save(Progress(1))
    catalog.fail = _told_to_fail
    with pytest.raises(CatalogError):
        await saver.save(Progress(2))
    catalog.fail = lambda _: None
    await saver.save(Progress(3))
    saved, _ = await checkpoints.load(STREAM, MAIN_DELIVERY)
    assert saved == Progress(3)
    checkpoints.close()


async def test_saves_of_several_tasks_are_done_one_after_the_other(catalog: LentCatalog) -> None:
    checkpoints = Checkpoints(lambda: catalog)
    _, saver = await checkpoints.load(STREAM, MAIN_DELIVERY)
    await asyncio.gather(*(saver.save(Progress(number)) for number in range(20)))
    saved, _ = await checkpoints.load(STREAM, MAIN_DELIVERY)
    assert saved == Progress(19)
    checkpoints.close()


async def test_who_was_replaced_saves_nothing_any_more(catalog: LentCatalog) -> None:
    checkpoints = Checkpoints(lambda: catalog)
    _, old = await checkpoints.load(STREAM, MAIN_DELIVERY)
    _, new = await checkpoints.load(STREAM, MAIN_DELIVERY)
    await new.save(Progress(5))
    for _ in range(2):
        with pytest.raises(VersionConflict):
            await old.save(Progress(1))
    saved, _ = await checkpoints.load(STREAM, MAIN_DELIVERY)
    assert saved == Progress(5)
    checkpoints.close()


async def test_what_is_forgotten_may_be_saved_again(catalog: LentCatalog) -> None:
    checkpoints = Checkpoints(lambda: catalog)
    _, saver = await checkpoints.load(STREAM, MAIN_DELIVERY)
    await saver.save(Progress(1))
    await saver.forget()
    assert (await checkpoints.load(STREAM, MAIN_DELIVERY))[0] is None
    await saver.save(Progress(2))
    assert (await checkpoints.load(STREAM, MAIN_DELIVERY))[0] == Progress(2)
    checkpoints.close()
