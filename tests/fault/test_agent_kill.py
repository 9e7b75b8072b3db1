"""The agent is killed at any moment: every line comes, and again only if the checkpoints did not have it."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from support.agentruns import AgentProcess, StreamReader
from support.kinesis import connect, create_stream
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.server import Server

LINES = 10_000
LINE_BYTES = 2_000
KILLS = 4


class Writer(threading.Thread):
    """Writes lines of equal length into a log file, which it renames now and then, until there are enough."""

    def __init__(self, directory: Path, seed: int) -> None:
        super().__init__(name="writer")
        self.log = directory / "app.log"
        self.first_lines: dict[int, int] = {}
        """Inode of each file: number of its first line."""
        self._chance = random.Random(seed)
        self._rotations = 0

    def run(self) -> None:
        written = 0
        while written < LINES:
            count = min(self._chance.randint(1, 400), LINES - written)
            self._write(written, count)
            written += count
            if self._chance.random() < 0.2:
                self._rotations += 1
                self.log.rename(self.log.with_name(f"app.log.{self._rotations}"))

    def _write(self, first: int, count: int) -> None:
        text = b"".join(line(i) for i in range(first, first + count))
        cut = self._chance.randrange(len(text))
        with self.log.open("ab", buffering=0) as file:
            self.first_lines.setdefault(self.log.stat().st_ino, first)
            file.write(text[:cut])
            time.sleep(0.03)  # others have a turn while a line is there in part
            file.write(text[cut:])

    def lines_in(self, agent: AgentProcess) -> set[int]:
        """The lines that the agent's checkpoints have as done."""
        return {
            self.first_lines[each.file.inode] + at
            for each in agent.progress()
            for start, end in each.done
            for at in range(-(-start // LINE_BYTES), end // LINE_BYTES)
        }


def line(i: int) -> bytes:
    """The line of this number."""
    return (b"%09d " % i).ljust(LINE_BYTES - 1, b"abcdefghij"[i % 10 : i % 10 + 1]) + b"\n"


@pytest.fixture
def agent(server: Server, tmp_path: Path) -> Iterator[AgentProcess]:
    (tmp_path / "logs").mkdir()
    create_stream(connect(server.url), StreamName="logs", shards=2)
    flow = {"filePattern": str(tmp_path / "logs" / "app.log*"), "kinesisStream": "logs", "maxBufferSizeRecords": 100}
    agent = AgentProcess(tmp_path / "agent", server.url, [flow])
    yield agent
    agent.close()
    assert "Traceback" not in agent.log_text(), agent.log_text()


def test_kills_at_any_moment_lose_nothing_and_repeat_only_what_was_not_saved(
    server: Server, agent: AgentProcess, tmp_path: Path
) -> None:
    chance = random.Random(5)
    writer = Writer(tmp_path / "logs", seed=5)
    writer.start()
    sendings_max = Counter(range(LINES))
    for _ in range(KILLS):
        before = agent.done_bytes()
        agent.start()
        wait_for(lambda before=before: agent.done_bytes() > before, "progress", interval_s=0.005)  # type: ignore[misc]
        time.sleep(chance.random() * 0.1)  # any moment: not a wait for anything
        agent.kill()
        sendings_max.update(set(range(LINES)) - writer.lines_in(agent))
    writer.join()
    assert agent.once(timeout_s=60) == 0
    found = Counter(StreamReader(server.url, "logs").records())
    assert found.keys() == {line(i) for i in range(LINES)}
    assert not [i for i in range(LINES) if found[line(i)] > sendings_max[i]]
    assert writer.lines_in(agent) == set(range(LINES))
