"""Delivery streams from CREATING to gone, over restarts, and what their logs are trimmed to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from millstream.catalog import CatalogError, SqliteCatalog
from millstream.firehose.backlog import delivered_position, read_positions
from millstream.firehose.model import DeliveryStream, Destination, KinesisSource, StreamStatus, StreamType
from millstream.firehose.ports import Lane
from millstream.firehose.progress import KIND, Progress
from millstream.firehose.registry import Handle
from support.delivery_plane import ACCOUNT, BUCKET, REGION, DeliveryPlane

SOURCE = KinesisSource(stream_arn="arn", role_arn="role", stream_id="s", start_position=7, start_ms=0)


@pytest.fixture
def plane() -> DeliveryPlane:
    return DeliveryPlane()


def stream(**members: Any) -> DeliveryStream:
    known = {"account": ACCOUNT, "region": REGION, "name": "ticks", "stream_id": "id-of-ticks", "created_ms": 1}
    return DeliveryStream(**{**known, "destination": BUCKET, **members})


def status(handle: Handle) -> StreamStatus:
    return handle.stream.status


async def test_a_new_delivery_stream_is_active_after_its_delay(plane: DeliveryPlane) -> None:
    registry = plane.service.registry
    handle = registry.add(stream())
    plane.service.lifecycle.resume(handle)
    assert plane.log().published
    assert registry.has(ACCOUNT, REGION, "ticks")
    assert [found.stream.name for found in registry.in_region(ACCOUNT, REGION)] == ["ticks"]
    assert registry.in_region(ACCOUNT, "eu-west-1") == []
    await plane.pass_ms(40)
    assert status(handle) is StreamStatus.CREATING
    await plane.pass_ms(20)
    assert status(handle) is StreamStatus.ACTIVE
    assert plane.changes == 2


async def test_what_a_crash_interrupts_goes_on(plane: DeliveryPlane) -> None:
    plane.service.lifecycle.resume(plane.service.registry.add(stream()))
    await plane.crash()
    (handle,) = plane.service.registry
    assert status(handle) is StreamStatus.CREATING
    await plane.pass_ms(60)
    assert status(handle) is StreamStatus.ACTIVE
    plane.service.lifecycle.delete(handle)
    plane.files.damaged.add("id-of-ticks")  # half of it may be gone
    await plane.crash()
    (handle,) = plane.service.registry
    assert status(handle) is StreamStatus.DELETING
    assert handle.log is None
    await plane.pass_ms(60)
    await plane.until(lambda: not plane.service.registry.has(ACCOUNT, REGION, "ticks"))
    assert plane.files.deleted == ["id-of-ticks"]


async def test_deletion_takes_the_log_and_frees_the_name(plane: DeliveryPlane) -> None:
    handle = await plane.create()
    plane.service.lifecycle.delete(handle)
    assert plane.service.registry.has(ACCOUNT, REGION, "ticks")
    await plane.pass_ms(60)
    await plane.until(lambda: not plane.service.registry.has(ACCOUNT, REGION, "ticks"))
    assert plane.files.logs == {}
    await plane.crash()
    assert list(plane.service.registry) == []
    await plane.create()


async def test_one_that_cannot_be_saved_leaves_nothing(plane: DeliveryPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise CatalogError("disk full")

    monkeypatch.setattr(plane.catalog, "put", fail)
    with pytest.raises(CatalogError):
        plane.service.registry.add(stream())
    assert plane.files.logs == {}
    assert list(plane.service.registry) == []


async def test_a_status_is_saved_once_the_catalog_can(plane: DeliveryPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    handle = plane.service.registry.add(stream())
    plane.service.lifecycle.resume(handle)
    with monkeypatch.context() as patch:

        def fail(*_: object) -> int:
            raise CatalogError("disk full")

        patch.setattr(plane.catalog, "put", fail)
        await plane.pass_ms(100)
        assert status(handle) is StreamStatus.CREATING
    await plane.pass_ms(1_100)
    assert status(handle) is StreamStatus.ACTIVE


async def test_directories_of_nobody_are_deleted_at_a_start(plane: DeliveryPlane) -> None:
    await plane.create()
    plane.files.open_log("left-over", plane.files.ciphers["id-of-ticks"])
    await plane.crash()
    assert plane.files.deleted == ["left-over"]
    assert plane.files.stream_ids() == ["id-of-ticks"]


async def test_a_data_stream_as_source_is_attached_at_a_start(plane: DeliveryPlane) -> None:
    handle = await plane.create(type=StreamType.KINESIS, source=SOURCE)
    assert handle.log is None
    assert plane.files.logs == {}
    await plane.crash()
    assert plane.sources.attached == ["arn"]


async def test_logs_are_trimmed_to_what_is_delivered(plane: DeliveryPlane) -> None:
    await plane.service.start()
    await plane.create()
    await plane.create("waiting")
    plane.positions = {"id-of-ticks": {"main": 700}}
    await plane.service.backlog.trim()
    assert plane.log().trimmed_to == 700
    assert plane.log("waiting").trimmed_to == 0
    plane.positions["id-of-ticks"]["main"] = 900
    await plane.pass_ms(10_010)
    await plane.until(lambda: plane.log().trimmed_to == 900)
    await plane.service.close()


async def test_nothing_is_trimmed_when_progress_cannot_be_read(plane: DeliveryPlane) -> None:
    def fail() -> dict[str, dict[str, int]]:
        raise CatalogError("the file is damaged")

    await plane.create()
    plane.service.backlog._read = fail
    await plane.service.backlog.trim()
    assert plane.log().trimmed_to == 0


def bucket(**members: Any) -> Destination:
    return Destination(kind="ExtendedS3", configuration={"BucketARN": "arn:aws:s3:::lake", **members})


FUNCTION = {"Enabled": True, "Processors": [{"Type": "Lambda", "Parameters": []}]}


@pytest.mark.parametrize(
    ("destination", "positions", "expected"),
    [
        (bucket(), {}, 0),
        (bucket(), {"main": 5}, 5),
        (bucket(S3BackupMode="Enabled"), {"main": 5}, 0),
        (bucket(S3BackupMode="Enabled"), {"main": 5, "backup": 3}, 3),
        (bucket(S3BackupMode="Disabled"), {"main": 5, "backup": 3}, 3),
        (bucket(S3BackupMode="FailedDocumentsOnly"), {"main": 5}, 5),
        (bucket(S3BackupMode="AllDocuments"), {"main": 5}, 0),
        (bucket(ProcessingConfiguration=FUNCTION), {"main": 5}, 0),
        (bucket(ProcessingConfiguration=FUNCTION), {"main": 500, "function": 4}, 4),
        (bucket(ProcessingConfiguration=FUNCTION | {"Enabled": False}), {"main": 5}, 5),
        (bucket(), {"main": 500, "function": 4}, 4),  # it worked with a function until now
    ],
)
def test_what_all_deliveries_are_done_with(destination: Destination, positions: dict[str, int], expected: int) -> None:
    assert delivered_position(stream(destination=destination), positions) == expected


def test_positions_are_read_while_the_worker_has_its_catalog_open(tmp_path: Path) -> None:
    path = tmp_path / "progress.db"
    assert read_positions(path) == {}
    worker = SqliteCatalog(path)
    progress = Progress(position=12, done=[(Lane(partition=(("query:a", "b"),)), 40)])
    worker.put(KIND, ACCOUNT, REGION, "id/main", msgspec.json.encode(progress), 0)
    worker.put(KIND, ACCOUNT, REGION, "id/backup", msgspec.json.encode(Progress(position=3)), 0)
    assert read_positions(path) == {"id": {"main": 12, "backup": 3}}
    worker.close()
    assert read_positions(path) == {"id": {"main": 12, "backup": 3}}
