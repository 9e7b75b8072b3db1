"""What Firehose gets of the server: directories for delivery streams, and data streams as sources."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest

from millstream.disk import MemoryDisk
from millstream.firehose.model import KinesisSource
from millstream.log import Batch, NoCipher
from millstream.server.deliveries import DeliveryFiles, StreamSources
from millstream.wire.faults import AccessDeniedException, InvalidArgumentException
from support.control_plane import ACCOUNT, REGION, ControlPlane
from support.memory_log import MemoryLog

ARN = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/orders"


@pytest.fixture
def plane() -> ControlPlane:
    return ControlPlane()


def log_of(plane: ControlPlane) -> MemoryLog:
    handle = plane.service.registry.find_by(ACCOUNT, REGION, name="orders")
    return cast("MemoryLog", handle.log)


def source(stream_id: str) -> KinesisSource:
    return KinesisSource(stream_arn=ARN, role_arn="role", stream_id=stream_id, start_position=0, start_ms=0)


async def test_a_source_is_found_at_its_end_which_it_publishes_from_then_on(plane: ControlPlane) -> None:
    handle = await plane.create()
    await plane.put()
    assert not log_of(plane).published
    found = StreamSources(plane.service).find(ACCOUNT, REGION, ARN)
    assert found == (handle.stream.stream_id, log_of(plane).end_position())
    assert log_of(plane).published


async def test_what_cannot_be_a_source(plane: ControlPlane) -> None:
    sources = StreamSources(plane.service)
    with pytest.raises(InvalidArgumentException, match=f"Stream orders under account {ACCOUNT} not found"):
        sources.find(ACCOUNT, REGION, ARN)
    await plane.call("CreateStream", StreamName="orders", ShardCount=1)
    with pytest.raises(InvalidArgumentException, match="is CREATING; it can be a source once it is ACTIVE"):
        sources.find(ACCOUNT, REGION, ARN)
    with pytest.raises(AccessDeniedException):
        sources.find("999999999999", REGION, ARN)


async def test_a_source_publishes_again_after_a_restart_if_it_is_still_the_same(plane: ControlPlane) -> None:
    handle = await plane.create()
    sources = StreamSources(plane.service)
    sources.attach(source("of-an-earlier-stream-of-that-name"))
    assert not log_of(plane).published
    sources.attach(source(handle.stream.stream_id))
    assert log_of(plane).published
    await plane.call("DeleteStream", StreamName="orders")
    await plane.gone()
    sources.attach(source(handle.stream.stream_id))


async def test_each_delivery_stream_has_a_directory(plane: ControlPlane) -> None:
    disk = MemoryDisk()
    with ThreadPoolExecutor(1) as commits:
        files = DeliveryFiles(disk, commits, plane.clock)
        assert files.stream_ids() == []
        log = files.open_log("one", NoCipher())
        await log.append([Batch(0, [b""], [b"data"])])
        await log.close()
        files.open_log("two", NoCipher())
        assert files.stream_ids() == ["one", "two"]
        files.delete("two")
        files.delete("never-there")
        assert files.stream_ids() == ["one"]
        assert files.open_log("one", NoCipher()).shard_range(0) == (0, 1)
