"""The client library's consumer and producer on a live server."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from millstream.client import Batch, CallError, ConfigurationError, Consumer, LeaseLost, MemoryLeases, Producer, consume
from millstream.client.producer import RecordTooLarge
from support.kinesis import Kinesis, open_shards, patiently, wait_active
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.server import Server

HURRY: dict[str, Any] = {"lease_s": 1.5, "checkpoint_s": 0.1, "idle_s_max": 0.1}


@pytest.fixture(autouse=True)
def here(server: Server, account: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What programs find in their environment."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", account)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")


async def put(stream: str, numbers: range, **options: Any) -> None:
    """Put numbers, with a key for each remainder by 50, one request at a time: as nothing is refused, in order."""
    async with Producer(stream, in_flight=1, **options) as producer:
        for n in numbers:
            await producer.put(b"%d" % n, f"key-{n % 50}")


async def gather(consumer: Consumer, enough: Callable[[list[int]], bool], *, slow: bool = False) -> list[int]:
    """The numbers that a consumer gets, until they are enough; the last batch is done then, too."""
    came: list[int] = []
    async with asyncio.timeout(20), consumer:
        async for batch in consumer:
            came += numbers_in(batch)
            if slow:
                await asyncio.sleep(0)
            if enough(came):
                await batch.checkpoint()
                return came
    raise AssertionError("a stream has no end")


def numbers_in(batch: Batch) -> list[int]:
    return [int(record.data) for record in batch.records]


def all_of(count: int) -> Callable[[list[int]], bool]:
    return lambda came: len(set(came)) >= count


@pytest.mark.parametrize("aggregate", [False, True])
async def test_what_is_put_comes_once_and_in_order(make_stream: Callable[..., str], aggregate: bool) -> None:
    stream = make_stream(3)
    await put(stream, range(2000), aggregate=aggregate, order=aggregate)
    came = await gather(consume(stream, group="g", **HURRY), all_of(2000))
    assert sorted(came) == list(range(2000))
    for remainder in range(50):
        of_key = [n for n in came if n % 50 == remainder]
        assert of_key == sorted(of_key)


async def test_a_group_goes_on_where_it_was_and_groups_know_nothing_of_each_other(stream: str) -> None:
    await put(stream, range(100))
    assert await gather(consume(stream, group="a", **HURRY), all_of(100)) == list(range(100))
    await put(stream, range(100, 150))
    assert await gather(consume(stream, group="a", **HURRY), all_of(50)) == list(range(100, 150))
    assert len(await gather(consume(stream, group="b", **HURRY), all_of(150))) == 150


async def test_a_batch_in_hand_is_not_done_when_the_loop_is_left(stream: str) -> None:
    await put(stream, range(30))
    options = {**HURRY, "records_max": 10, "group": "g"}
    async with consume(stream, **options) as consumer:
        first = [numbers_in(batch) async for batch in _some(consumer, 2)]
        again = [numbers_in(batch) async for batch in _some(consumer, 1)]
    assert first == [list(range(10)), list(range(10, 20))]
    assert again[0][:9] == list(range(10, 19))
    assert await gather(consume(stream, **options), all_of(20)) == list(range(10, 30))


async def _some(consumer: Consumer, count: int) -> Any:
    batches = aiter(consumer)
    for _ in range(count):
        yield await anext(batches)
    await batches.aclose()  # type: ignore[attr-defined]


async def test_manual_checkpoints_to_the_record(stream: str) -> None:
    await put(stream, range(20), aggregate=True)
    options = {**HURRY, "checkpoint": "manual", "group": "g"}
    async with consume(stream, **options) as consumer:
        async for batch in consumer:
            await batch.checkpoint(batch.records[4])
            break
    assert await gather(consume(stream, **options), all_of(15)) == list(range(5, 20))


async def test_two_side_by_side_share_and_take_over(make_stream: Callable[..., str]) -> None:
    stream = make_stream(4)
    came: dict[str, set[int]] = {"a": set(), "b": set()}

    async def work(name: str, batch: Batch) -> None:
        came[name].update(numbers_in(batch))

    async with AsyncExitStack() as stack:
        tasks = []
        consumers = []
        for name in came:
            consumer = await stack.enter_async_context(consume(stream, group="g", **HURRY))
            consumers.append(consumer)
            tasks.append(asyncio.create_task(consumer.run(partial(work, name), concurrency=2)))
        await until(lambda: [len(consumer.shards) for consumer in consumers] == [2, 2])
        await put(stream, range(400))
        await until(lambda: len(came["a"] | came["b"]) == 400)
        assert came["a"]
        assert came["b"]
        assert not came["a"] & came["b"]
        tasks[0].cancel()
        await consumers[0].close()
        await until(lambda: len(consumers[1].shards) == 4)
        await put(stream, range(400, 800))
        await until(lambda: len(came["b"]) == 800 - len(came["a"]))
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not condition():
            await asyncio.sleep(0.01)


async def test_splits_and_merges_while_reading(kinesis: Kinesis, make_stream: Callable[..., str]) -> None:
    stream = make_stream(2)
    consumer = consume(stream, group="g", **HURRY)
    reading = asyncio.create_task(gather(consumer, all_of(900)))
    await put(stream, range(300))
    await asyncio.to_thread(_split_first, kinesis, stream)
    await put(stream, range(300, 600))
    await asyncio.to_thread(_merge_first, kinesis, stream)
    await put(stream, range(600, 900))
    came = await reading
    assert sorted(came) == list(range(900))
    for remainder in range(50):
        of_key = [n for n in came if n % 50 == remainder]
        assert of_key == sorted(of_key)


def _split_first(kinesis: Kinesis, stream: str) -> None:
    first = open_shards(kinesis, stream)[0]
    middle = int(first["HashKeyRange"]["EndingHashKey"]) // 2
    patiently(kinesis.split_shard, StreamName=stream, ShardToSplit=first["ShardId"], NewStartingHashKey=str(middle))
    wait_active(kinesis, stream)


def _merge_first(kinesis: Kinesis, stream: str) -> None:
    first, second = (shard["ShardId"] for shard in open_shards(kinesis, stream)[:2])
    patiently(kinesis.merge_shards, StreamName=stream, ShardToMerge=first, AdjacentShardToMerge=second)
    wait_active(kinesis, stream)


async def test_a_deleted_stream_is_told_of_and_one_made_again_is_read_from_its_beginning(
    kinesis: Kinesis, stream: str
) -> None:
    await put(stream, range(10))
    reading = asyncio.create_task(gather(consume(stream, group="g", **HURRY), all_of(11)))
    kinesis.delete_stream(StreamName=stream)
    with pytest.raises(CallError, match="not found"):
        await reading
    await asyncio.to_thread(_make_again, kinesis, stream)
    await put(stream, range(10, 20))
    assert await gather(consume(stream, group="g", **HURRY), all_of(10)) == list(range(10, 20))


def _make_again(kinesis: Kinesis, stream: str) -> None:
    def make() -> bool:
        with suppress(kinesis.exceptions.ResourceInUseException):
            kinesis.create_stream(StreamName=stream, ShardCount=1)
            return True
        return False

    wait_for(make, "the stream to be gone")
    wait_active(kinesis, stream)


async def test_latest_begins_with_what_comes_and_nothing_after_that_is_missed(stream: str) -> None:
    await put(stream, range(10))
    options = {**HURRY, "start": "latest", "group": "g", "leases": (leases := MemoryLeases())}
    async with consume(stream, **options):
        await until(lambda: "AT_TIMESTAMP" in [lease.checkpoint.value for lease in leases.leases.values()])
    await put(stream, range(10, 20))  # while nobody reads
    came = await gather(consume(stream, **options), lambda came: 19 in came)
    assert [n for n in came if n >= 10] == list(range(10, 20))


async def test_from_a_time_on(stream: str) -> None:
    await put(stream, range(10))
    middle = dt.datetime.fromtimestamp(time.time() + 0.002, dt.UTC)
    await asyncio.sleep(0.004)
    await put(stream, range(10, 20))
    came = await gather(consume(stream, group="g", start=middle, **HURRY), lambda came: 19 in came)
    assert came == list(range(10, 20))


async def test_what_a_handler_raises_ends_the_run_and_its_batch_comes_again(stream: str) -> None:
    await put(stream, range(5))

    async def fail(batch: Batch) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await consume(stream, group="g", **HURRY).run(fail)
    assert await gather(consume(stream, group="g", **HURRY), all_of(5)) == list(range(5))


async def test_a_stolen_shard_cannot_be_checkpointed(stream: str) -> None:
    await put(stream, range(5))
    leases = MemoryLeases()
    async with consume(stream, group="g", leases=leases, **HURRY) as consumer:
        async for batch in consumer:
            stolen = leases.leases[batch.shard_id]
            leases.leases[batch.shard_id] = stolen._replace(owner="thief", counter=stolen.counter + 1)
            with pytest.raises(LeaseLost, match="nothing was saved"):
                await batch.checkpoint()
            assert leases.leases[batch.shard_id].checkpoint.value == "TRIM_HORIZON"
            break


async def test_errors_that_do_not_pass_reach_the_program(stream: str) -> None:
    with pytest.raises(CallError, match="not found") as caught:
        await gather(consume("nothing", group="g"), all_of(1))
    assert caught.value.code == "ResourceNotFoundException"
    producer = Producer("nothing")
    receipt = await producer.put(b"x")
    with pytest.raises(CallError, match="not found"):
        await receipt
    await producer.close()  # it has been told
    with pytest.raises(CallError, match="not found"):
        async with Producer("nothing") as producer:
            await producer.put(b"x")
    with pytest.raises(ConfigurationError, match="closed"):
        await producer.put(b"x")
    async with Producer(stream) as producer:
        with pytest.raises(RecordTooLarge):
            await producer.put(b"x" * (1 << 20), "k")
        with pytest.raises(ConfigurationError, match="1 to 256 characters"):
            await producer.put(b"x", "")
        await (await producer.put(b"x" * ((1 << 20) - 1), "k"))


async def test_order_of_a_key_holds(make_stream: Callable[..., str]) -> None:
    stream = make_stream(1)
    async with Producer(stream, order=True, linger_ms=1) as producer:
        for n in range(40):
            await producer.put(b"%d" % n, f"{n % 2}")
    assert len(await gather(consume(stream, group="g", **HURRY), all_of(40))) == 40


class TestLimited:
    """With AWS's limits."""

    @pytest.fixture
    def server(self, limited_server: Server) -> Server:
        return limited_server

    async def test_throttles_are_waited_out(self, stream: str) -> None:
        async with asyncio.timeout(20), Producer(stream, linger_ms=5) as producer:
            for n in range(2200):  # a shard takes 1,000 a second
                await producer.put(b"%d" % n, "k")
        consumers = [consume(stream, group=name, **HURRY) for name in "abc"]  # 15 calls a second, where 5 are allowed
        for came in await asyncio.gather(*(gather(consumer, all_of(2200)) for consumer in consumers)):
            assert len(set(came)) == 2200
