"""SIGKILL of a server whose subscription filters are delivering: nothing is lost, and order holds."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from support.logsubscriptions import SubscribedGroup
from support.waiting import wait_for

if TYPE_CHECKING:
    from support.server import Server

NAMES = ("one", "two")
KILLS = 3


class Writer:
    """Puts numbered lines into both log streams, and knows which were acknowledged, until it is stopped."""

    def __init__(self, group: SubscribedGroup) -> None:
        self._group = group
        self._stopping = threading.Event()
        self.acknowledged: dict[str, list[int]] = {name: [] for name in NAMES}
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        number = 0
        while not self._stopping.is_set():
            for name in NAMES:
                numbers = range(number, number + 5)
                try:
                    self._group.put(name, *(f"{name} {each}" for each in numbers))
                except (BotoCoreError, ClientError):  # while it is down; what became of it is not known
                    self._stopping.wait(0.05)
                else:
                    self.acknowledged[name] += numbers
            number += 5

    def count(self) -> int:
        return sum(map(len, self.acknowledged.values()))

    def await_more(self, count: int) -> None:
        wanted = self.count() + count
        wait_for(lambda: self.count() >= wanted, f"{count} more events", timeout_s=30)

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()


def first_times(messages: list[str], name: str) -> list[int]:
    """The numbers of a log stream's messages, repetitions left out."""
    numbers = [int(message.split()[1]) for message in messages if message.startswith(name)]
    return list(dict.fromkeys(numbers))


def test_acknowledged_events_are_delivered_in_order_through_kills(server: Server) -> None:
    group = SubscribedGroup(server)
    stream = group.stream(shards=2)
    group.log_streams(*NAMES)
    group.subscribe(group.arn(stream))
    writer = Writer(group)
    try:
        for _ in range(KILLS):
            writer.await_more(100)
            server.kill()
            server.start()
        writer.await_more(100)
    finally:
        writer.stop()

    def is_all_there() -> bool:
        messages = group.messages(stream)
        return all(set(writer.acknowledged[name]) <= set(first_times(messages, name)) for name in NAMES)

    wait_for(is_all_there, "every acknowledged event", timeout_s=30, interval_s=0.2)
    messages = group.messages(stream)
    for name in NAMES:
        numbers = first_times(messages, name)
        assert numbers == sorted(numbers)
    (wanted,) = group.filters()
    assert wanted["filterName"] == "all"


def test_a_clean_stop_repeats_nothing(server: Server) -> None:
    group = SubscribedGroup(server)
    stream = group.stream()
    group.log_streams("one")
    group.subscribe(group.arn(stream))
    expected = []
    for turn in range(3):
        group.put("one", *(f"one {turn * 10 + each}" for each in range(10)))
        expected += [turn * 10 + each for each in range(10)]
        group.await_messages(stream, len(expected))
        assert server.terminate() == 0
        server.start()
    group.put("one", "one 999")
    messages = group.await_messages(stream, len(expected) + 1)
    assert [int(message.split()[1]) for message in messages] == [*expected, 999]
