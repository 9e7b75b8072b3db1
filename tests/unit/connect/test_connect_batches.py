"""Batches are as large as requests may be, and none waits longer than it should."""

from __future__ import annotations

from millstream.client.puts import DeliveryEntry
from millstream.connect.rabbitmq.batches import Batcher


def add(batcher: Batcher[str], size: int, *, origin: str = "a", tag: int = 1, now_s: float = 0.0) -> bool:
    return batcher.add(DeliveryEntry(b"x" * size), size, origin, tag, now_s)


def test_a_batch_is_full_by_number() -> None:
    batcher: Batcher[str] = Batcher(2, 100, 1.0)
    assert [add(batcher, 1, origin=origin, tag=tag) for tag, origin in enumerate("aab")] == [True, True, True]
    batch = batcher.take(0.0)
    assert batch is not None
    assert batch.tags == {"a": [0, 1]}
    assert batch.size_bytes == 2
    assert batcher.take(0.0) is None


def test_a_batch_is_full_by_size() -> None:
    batcher: Batcher[str] = Batcher(500, 100, 1.0)
    for tag, size in enumerate((60, 40, 1)):
        add(batcher, size, tag=tag)
    batch = batcher.take(0.0)
    assert batch is not None
    assert (len(batch.entries), batch.size_bytes) == (2, 100)


def test_a_batch_lingers() -> None:
    batcher: Batcher[str] = Batcher(500, 100, 1.0)
    assert batcher.due_s is None
    add(batcher, 1, now_s=5.0)
    assert not add(batcher, 1, now_s=5.5)
    assert batcher.due_s == 6.0
    assert batcher.take(5.9) is None
    batch = batcher.take(6.0)
    assert batch is not None
    assert len(batch.entries) == 2


def test_at_the_end_nothing_lingers() -> None:
    batcher: Batcher[str] = Batcher(500, 100, 1.0)
    add(batcher, 1)
    assert batcher.take(0.0, flush=True) is not None
    assert batcher.take(0.0, flush=True) is None
