"""How a Redshift destination goes about it, with a warehouse that fails as it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from millstream.firehose.configuration import Redshift
from millstream.firehose.destinations.redshift import RedshiftDestination
from millstream.firehose.ports import DeliveryError, Surroundings
from millstream.firehose.warehouse import Load, LoadResult, RowError, Warehouse
from millstream.objects.local import LocalStores
from support.destinations import GivenParcel, SwiftClock, Told, configured, surroundings

DOWN = DeliveryError("Redshift.ConnectionFailed", "no route to host")


class Scripted:
    """A warehouse that does what comes next in a list, the last thing for ever."""

    def __init__(self, *outcomes: LoadResult | DeliveryError) -> None:
        self._outcomes = list(outcomes)
        self.loads: list[Load] = []
        self.under_way = 0
        self.under_way_max = 0

    async def copy(self, load: Load) -> LoadResult:
        self.under_way += 1
        self.under_way_max = max(self.under_way_max, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        self.loads.append(load)
        outcome = self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]
        if isinstance(outcome, DeliveryError):
            raise outcome
        return outcome


class Scene:
    """A destination in its surroundings."""

    def __init__(self, around: Surroundings, told: Told, clock: SwiftClock) -> None:
        self.around = around
        self.told = told
        self.clock = clock

    def destination(self, warehouse: Warehouse, *, retry_s: int = 3600, **s3: Any) -> RedshiftDestination:
        """A destination over that warehouse."""
        configuration = configured(
            "Redshift",
            ClusterJDBCURL="duckdb:",
            CopyCommand={"DataTableName": "t", "CopyOptions": "json 'auto'"},
            RetryOptions={"DurationInSeconds": retry_s},
            S3DestinationDescription={"BucketARN": "arn:aws:s3:::lake", "Prefix": "raw/"} | s3,
        )
        assert isinstance(configuration, Redshift)
        return RedshiftDestination(configuration, self.around, lambda _configuration, _around: warehouse)

    async def keys(self) -> list[str]:
        """The keys in the intermediate bucket."""
        return [found.key async for found in self.around.stores.bucket("lake").list()]


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    clock, told = SwiftClock.install(monkeypatch), Told()
    with ThreadPoolExecutor(2) as threads:
        yield Scene(surroundings(clock, told, threads)._replace(stores=LocalStores(tmp_path)), told, clock)


def planned(destination: RedshiftDestination, *records: bytes) -> GivenParcel:
    parcel = GivenParcel(records)
    parcel.key = destination.plan(parcel)
    return parcel


async def test_an_object_is_put_then_copied(scene: Scene) -> None:
    warehouse = Scripted(LoadResult(2))
    destination = scene.destination(warehouse)
    parcel = planned(destination, b'{"a":1}\n', b'{"a":2}\n')

    report = await destination.deliver(parcel)

    assert (report.delivered_records, report.delivered_bytes, report.errors) == (2, 16, ())
    assert parcel.key.startswith("raw/2026/11/23/23/ticks-1-2026-11-23-23-59-30-")
    assert await scene.keys() == [parcel.key]
    (load,) = warehouse.loads
    assert load.url == f"s3://lake/{parcel.key}"
    assert b"".join(load.pieces()) == b'{"a":1}\n{"a":2}\n'


async def test_a_failed_copy_is_tried_again_and_told_of(scene: Scene) -> None:
    warehouse = Scripted(DOWN, DOWN, LoadResult(1))
    destination = scene.destination(warehouse)

    report = await destination.deliver(planned(destination, b"{}"))

    assert report.delivered_records == 1
    assert scene.told.errors == [("Redshift.ConnectionFailed", "no route to host")] * 2
    assert len(await scene.keys()) == 1


async def test_after_the_retry_duration_a_manifest_is_left(scene: Scene) -> None:
    warehouse = Scripted(DOWN)
    destination = scene.destination(warehouse, retry_s=600)
    parcel = planned(destination, b"{}")

    report = await destination.deliver(parcel)

    assert report.delivered_records == 0
    assert sum(scene.clock.pauses_s) == pytest.approx(600, abs=1)
    kept, manifest = await scene.keys()
    assert kept == parcel.key
    assert manifest == f"raw/errors/manifests/2026/11/24/00/{parcel.key.rpartition('/')[2]}"
    body = json.loads(await scene.around.stores.bucket("lake").get(manifest))
    assert body == {"entries": [{"url": f"s3://lake/{parcel.key}", "mandatory": True}]}


async def test_without_a_retry_duration_there_is_one_copy(scene: Scene) -> None:
    warehouse = Scripted(DOWN)
    destination = scene.destination(warehouse, retry_s=0)

    await destination.deliver(planned(destination, b"{}"))

    assert len(warehouse.loads) == 1


async def test_one_copy_at_a_time(scene: Scene) -> None:
    warehouse = Scripted(LoadResult(1))
    destination = scene.destination(warehouse)
    parcels = [planned(destination, b"{}") for _ in range(4)]

    await asyncio.gather(*(destination.deliver(parcel) for parcel in parcels))

    assert len(warehouse.loads) == 4
    assert warehouse.under_way_max == 1


async def test_rows_that_maxerror_let_pass_are_told_of(scene: Scene) -> None:
    warehouse = Scripted(LoadResult(1, 1, (RowError(2, "id", "x", "Invalid digit, Type: Integer"),)))
    destination = scene.destination(warehouse)

    report = await destination.deliver(planned(destination, b'{"id":1}', b'{"id":"x"}'))

    assert report.delivered_records == 1
    ((code, message),) = scene.told.errors
    assert code == "Redshift.DataLoadFailed"
    assert "row 2, column id: Invalid digit" in message
