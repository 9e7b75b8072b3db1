"""A log's writer does what writers and their rotation do; the agent looks, is killed and started again at any moment.

What is written are tokens, each with a number of its own. Every token must be read; what was done and saved must not be
read again; and what is read of a file for the first time comes in the order in which it was written.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.agent.config import FlowConfig
from millstream.agent.records import FileId, Span
from millstream.agent.tail import FileProgress, Tail
from millstream.base.clock import ManualClock

TOKEN = re.compile(rb"(\d{6});")


class Life:
    """A writer, its log and the agent's tail of it, and what must hold of them."""

    def __init__(self, directory: Path, **options: object) -> None:
        self.log = directory / "app.log"
        self.flow = FlowConfig(
            file_pattern=f"{directory}/app.log*",
            kinesis_stream="s",
            initial_position="START_OF_FILE",
            **options,  # type: ignore[arg-type]
        )
        self.clock = ManualClock()
        self.saved: dict[FileId, FileProgress] | None = None
        self.written = 0
        self.rotations = 0
        self.delivered: list[int] = []
        self.unacknowledged: list[tuple[Span, list[int]]] = []
        self.acknowledged: set[int] = set()
        self.safe: set[int] = set()
        self.log.touch()
        self.start()

    def start(self) -> None:
        self.tail = Tail(self.flow, dict(self.saved) if self.saved is not None else None, self.clock)
        self.tail.refresh()
        self.unacknowledged.clear()
        self.save()

    # The writer

    def write(self, count: int, *, end: bytes = b"\n", padding: int = 0) -> None:
        with self.log.open("ab") as file:
            for _ in range(count):
                self.written += 1
                file.write(b"%06d;" % self.written + b"x" * padding + end)
        self.stamp()

    def stamp(self) -> None:
        """The kernel's times are too coarse for a test that does everything within a millisecond."""
        self.clock.advance(1)
        time_ns = self.clock.now_ms() * 1_000_000
        for path in (self.log, self.log.with_name(f"app.log.c{self.rotations}")):
            if path.exists():
                os.utime(path, ns=(time_ns, time_ns))

    def rename(self) -> None:
        for number in (3, 2, 1):
            name = self.log.with_name(f"app.log.{number}")
            if name.exists():
                name.rename(
                    self.log.with_name(
                        f"app.log.{number + 1}-{self.rotations}" if number == 3 else f"app.log.{number + 1}"
                    )
                )
        self.rotations += 1
        self.log.rename(self.log.with_name("app.log.1"))
        self.log.touch()
        self.stamp()

    def copy_truncate(self) -> None:
        self.rotations += 1
        shutil.copyfile(self.log, self.log.with_name(f"app.log.c{self.rotations}"))
        os.truncate(self.log, 0)
        self.stamp()

    def copy_slowly_and_truncate(self, looks: int) -> None:
        """The tail sees the copy while it is being made."""
        self.rotations += 1
        content = self.log.read_bytes()
        with self.log.with_name(f"app.log.c{self.rotations}").open("wb", buffering=0) as copy:
            copy.write(content[: len(content) // 2])
            self.look(looks)
            copy.write(content[len(content) // 2 :])
        self.look(looks)
        os.truncate(self.log, 0)
        self.stamp()

    def truncate(self, count: int) -> None:
        """Whatever was not read is gone with it; so all is read before."""
        self.settle()
        os.truncate(self.log, 0)
        self.write(count)

    def delete(self) -> None:
        self.settle()
        self.write(2)
        self.log.unlink()
        self.log.touch()
        self.tail.refresh()
        self.settle()

    # The agent

    def look(self, count: int, *, bytes_max: int = 500) -> None:
        self.clock.advance(200)
        for _ in range(count):
            chunk = self.tail.read(bytes_max)
            if chunk is None:
                return
            assert chunk.ends[-1] == chunk.end
            assert len(chunk.ends) == len(chunk.records)
            start = chunk.start
            for record, end in zip(chunk.records, chunk.ends, strict=True):
                tokens = [int(token) for token in TOKEN.findall(record)]
                again = self.safe.intersection(tokens)
                assert not again, f"{again} was done and saved, and is read again from {chunk.path}"
                self.delivered += tokens
                self.unacknowledged.append((Span(chunk.file, start, end), tokens))
                start = end

    def acknowledge(self, seed: int) -> None:
        """Some of what is under way; which, `seed` says."""
        chosen = [item for i, item in enumerate(self.unacknowledged) if seed >> (i % 16) & 1]
        for span, tokens in chosen:
            self.tail.done(span)
            self.acknowledged.update(tokens)
        self.unacknowledged = [item for item in self.unacknowledged if item not in chosen]

    def save(self) -> None:
        self.saved = (self.saved or {}) | {progress.file: progress for progress in self.tail.changed()}
        self.safe |= self.acknowledged

    def restart(self) -> None:
        self.tail.close()
        self.acknowledged &= self.safe
        self.start()

    def settle(self) -> None:
        """Everything that is there is read, acknowledged and saved."""
        self.tail.refresh()
        for wait_ms in (30_000, 30_000, 7_200_000, 30_000):
            self.clock.advance(wait_ms)
            self.tail.refresh()
            self.look(1_000_000)
        self.acknowledge(0xFFFF)
        self.save()


ACTIONS = st.one_of(
    st.tuples(st.just("write"), st.integers(1, 20)),
    st.tuples(st.just("write_wide"), st.integers(1, 4)),
    st.tuples(st.just("write_part"), st.integers(1, 3)),
    st.tuples(st.just("look"), st.integers(1, 3)),
    st.tuples(st.just("look"), st.integers(1, 3)),
    st.tuples(st.just("acknowledge"), st.integers(0, 0xFFFF)),
    st.tuples(st.just("save"), st.just(0)),
    st.tuples(st.just("refresh"), st.just(0)),
    st.tuples(st.just("restart"), st.just(0)),
    st.tuples(st.just("rename"), st.just(0)),
    st.tuples(st.just("copy_truncate"), st.just(0)),
    st.tuples(st.just("copy_slowly"), st.integers(0, 2)),
    st.tuples(st.just("truncate"), st.integers(0, 30)),
    st.tuples(st.just("delete"), st.just(0)),
    st.tuples(st.just("wait"), st.sampled_from([100, 3_000, 30_000])),
)


def act(life: Life, action: str, number: int) -> None:
    doings: dict[str, Callable[[], object]] = {
        "write": lambda: life.write(number),
        "write_wide": lambda: life.write(number, padding=600),
        "write_part": lambda: life.write(number, end=b" "),
        "look": lambda: life.look(number),
        "acknowledge": lambda: life.acknowledge(number),
        "save": life.save,
        "refresh": life.tail.refresh,
        "restart": life.restart,
        "rename": life.rename,
        "copy_truncate": life.copy_truncate,
        "copy_slowly": lambda: life.copy_slowly_and_truncate(number),
        "truncate": lambda: life.truncate(number),
        "delete": life.delete,
        "wait": lambda: life.clock.advance(number),
    }
    doings[action]()


@settings(max_examples=int(os.environ.get("LIVES", "150")), deadline=None)
@given(actions=st.lists(ACTIONS, max_size=40), multi_line=st.booleans())
def test_a_tail_skips_nothing_and_reads_nothing_again_that_is_done(
    actions: list[tuple[str, int]], multi_line: bool
) -> None:
    options = {"multi_line_start_pattern": r"\d*[05];"} if multi_line else {}
    with tempfile.TemporaryDirectory() as directory:
        life = Life(Path(directory), **options)
        try:
            for action, number in actions:
                act(life, action, number)
            life.write(1)  # ends a partial last line
            life.settle()
            assert set(life.delivered) == set(range(1, life.written + 1))
        finally:
            life.tail.close()


@settings(max_examples=60, deadline=None)
@given(actions=st.lists(ACTIONS.filter(lambda action: action[0] not in ("restart", "wait")), max_size=30))
def test_without_a_restart_everything_is_read_once_and_in_order(actions: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        life = Life(Path(directory))
        try:
            for action, number in actions:
                life.tail.refresh()
                act(life, action, number)
            life.write(1)
            life.settle()
            assert sorted(life.delivered) == list(range(1, life.written + 1))
        finally:
            life.tail.close()
