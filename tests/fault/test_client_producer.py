"""Producers whose service breaks off, refuses parts, hangs or is away."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest

import millstream.client.producer as producer_module
from millstream.client import CallError, ClientError, ConfigurationError, Credentials, Producer
from support.fakekinesis import FakeKinesis

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting before another attempt."""
    monkeypatch.setattr("millstream.client.puts.Backoff.delay_ms", lambda self, attempt: 1.0)


@pytest.fixture
async def kinesis() -> AsyncIterator[FakeKinesis]:
    """The service."""
    async with FakeKinesis().serving() as kinesis:
        yield kinesis


def into(kinesis: FakeKinesis, **options: Any) -> Producer:
    credentials = options.pop("credentials", Credentials("a", "b"))
    return Producer("s", endpoint=kinesis.url, region="us-east-1", credentials=credentials, **options)


@pytest.mark.parametrize("seed", range(3))
async def test_breaks_and_refusals_lose_nothing(kinesis: FakeKinesis, seed: int) -> None:
    chance = random.Random(seed)
    kinesis.faults = lambda number: chance.choice(["", "cut", "lose", "some", "ThrottlingException"])
    data = [b"%d" % n + b"x" * 500 for n in range(2000)]
    async with asyncio.timeout(20), into(kinesis, linger_ms=1) as producer:
        for each in data:
            await producer.put(each)
    assert set(kinesis.data) == set(data)


async def test_order_of_a_key_holds_when_parts_are_refused_and_answers_lost(kinesis: FakeKinesis) -> None:
    chance = random.Random(4)
    kinesis.faults = lambda number: chance.choice(["", "", "cut", "lose", "some", "ThrottlingException"])
    async with asyncio.timeout(20), into(kinesis, linger_ms=1, order=True) as producer:
        for n in range(400):
            await producer.put(b"%d" % n, f"{chance.randrange(20)}")
    of_key: dict[str, list[int]] = {}
    for key, data in kinesis.stored:
        of_key.setdefault(key, []).append(int(data))
    assert sum(len(set(numbers)) for numbers in of_key.values()) == 400
    assert all(numbers == sorted(numbers) for numbers in of_key.values())


async def test_memory_is_bounded_and_closing_can_be_given_up(kinesis: FakeKinesis) -> None:
    kinesis.faults = lambda number: "hang"
    producer = into(kinesis, linger_ms=0, buffer_bytes=1 << 20)
    receipts = []

    async def fill() -> None:
        while True:
            receipts.append(await producer.put(b"x" * 10_000))

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(fill(), 0.3)
    assert 90 < len(receipts) < 110
    waiting = asyncio.create_task(producer.put(b"late"))
    await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(producer.close(), 0.2)
    with pytest.raises(ConfigurationError, match="closed"):
        await waiting
    for receipt in receipts:
        with pytest.raises(ClientError, match="closed before"):
            async with asyncio.timeout(1):
                await receipt


async def test_a_block_that_an_error_ends_does_not_wait_for_ever(
    kinesis: FakeKinesis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producer_module, "LEAVE_S_MAX", 0.2)
    kinesis.faults = lambda number: "hang"
    with pytest.raises(KeyError):
        await asyncio.wait_for(_put_and_fail(into(kinesis)), 5)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(_put_and_see(into(kinesis)), 0.1)


async def _put_and_fail(producer: Producer) -> None:
    async with producer:
        await producer.put(b"x")
        raise KeyError


async def _put_and_see(producer: Producer) -> None:
    async with producer:
        await (await producer.put(b"x"))


async def test_a_block_that_an_error_ends_still_puts_what_was_put(kinesis: FakeKinesis) -> None:
    with pytest.raises(KeyError):
        await _put_and_fail(into(kinesis, linger_ms=60_000))
    assert kinesis.data == [b"x"]


async def test_flush_waits_for_what_was_put_before_it_and_not_for_more(kinesis: FakeKinesis) -> None:
    async with into(kinesis, linger_ms=1) as producer:

        async def go_on() -> None:
            while True:
                await producer.put(b"more")
                await asyncio.sleep(0)

        await producer.put(b"first")
        going = asyncio.create_task(go_on())
        async with asyncio.timeout(5):
            await producer.flush()
        assert b"first" in kinesis.data
        going.cancel()
        with pytest.raises(asyncio.CancelledError):
            await going


async def test_credentials_are_renewed_when_they_have_expired(kinesis: FakeKinesis) -> None:
    names = iter(["old", "new"])

    def credentials() -> Credentials:
        try:
            return Credentials(next(names), "secret")
        except StopIteration:
            raise ConfigurationError("the role cannot be had just now") from None

    kinesis.faults = lambda number: "ExpiredTokenException" if number in (1, 3) else ""
    async with into(kinesis, credentials=credentials) as producer:
        await (await producer.put(b"1"))
        names = iter([])
        receipt = await producer.put(b"2")
        while kinesis.requests < 3:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        names = iter(["newest"])
        await receipt
    assert kinesis.access_keys == ["old", "new", "new", "newest"]


async def test_what_does_not_pass_reaches_the_caller_and_text_is_refused(kinesis: FakeKinesis) -> None:
    kinesis.faults = lambda number: "AccessDeniedException" if number == 1 else ""
    producer = into(kinesis)
    text: Any = "text"
    with pytest.raises(TypeError, match="encode it"):
        await producer.put(text)
    await producer.put(b"refused")
    with pytest.raises(CallError, match="as told"):
        await producer.flush()
    await producer.put(b"taken")
    await producer.close()
    assert kinesis.data == [b"taken"]
