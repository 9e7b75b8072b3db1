"""Following files: what is read, when, after whatever rotation; on real files in a directory of the test's own."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from millstream.agent.config import FlowConfig
from millstream.agent.records import Chunk, FileId, Span
from millstream.agent.tail import FileProgress, Tail
from millstream.agent.tail import descriptors as descriptors_module
from millstream.base.clock import ManualClock


class Agent:
    """A tail that is looked at as the agent does, and what is saved of it."""

    def __init__(self, directory: Path, pattern: str = "*", **options: object) -> None:
        self.directory = directory
        options.setdefault("initial_position", "START_OF_FILE")
        self.flow = FlowConfig(file_pattern=f"{directory}/{pattern}", kinesis_stream="s", **options)  # type: ignore[arg-type]
        self.clock = ManualClock()
        self.saved: dict[FileId, FileProgress] | None = None
        self.record_bytes_max: int | None = None
        self.start()

    def start(self) -> None:
        saved = None if self.saved is None else dict(self.saved)
        self.tail = Tail(self.flow, saved, self.clock, record_bytes_max=self.record_bytes_max)
        self.tail.refresh()
        self.save()

    def restart(self) -> None:
        self.tail.close()
        self.start()

    def save(self) -> None:
        self.saved = (self.saved or {}) | {progress.file: progress for progress in self.tail.changed()}

    def chunks(self, wait_ms: int = 1_000, *, final: bool = False) -> list[Chunk]:
        """Everything that is there now."""
        self.clock.advance(wait_ms)
        found = list(iter(lambda: self.tail.read(1_000_000, final=final), None))
        return [chunk for chunk in found if chunk is not None]

    def read(self, wait_ms: int = 1_000, *, final: bool = False, done: bool = True) -> list[bytes]:
        chunks = self.chunks(wait_ms, final=final)
        if done:
            for chunk in chunks:
                self.tail.done(Span(chunk.file, chunk.start, chunk.end))
            self.save()
        return [record for chunk in chunks for record in chunk.records]

    def write(self, name: str, content: bytes) -> Path:
        path = self.directory / name
        with path.open("ab") as file:
            file.write(content)
        self.stamp(path)
        return path

    def rewrite(self, name: str, content: bytes) -> Path:
        path = self.directory / name
        path.write_bytes(content)
        self.stamp(path)
        return path

    def stamp(self, path: Path) -> None:
        self.clock.advance(10)
        time_ns = self.clock.now_ms() * 1_000_000
        os.utime(path, ns=(time_ns, time_ns))


Start = Callable[..., Agent]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    agents: list[Agent] = []

    def make(pattern: str = "*", **options: object) -> Agent:
        agents.append(Agent(tmp_path, pattern, **options))
        return agents[-1]

    yield make
    for agent in agents:
        agent.tail.close()


def test_what_is_appended_is_read_line_by_line(start: Start) -> None:
    agent = start()
    agent.write("a", b"1\n2\n3")
    agent.tail.refresh()
    assert agent.read() == [b"1\n", b"2\n"]
    assert agent.read() == []
    agent.write("a", b"4\n5\r\n")
    assert agent.read() == [b"34\n", b"5\r\n"]


def test_what_was_there_at_the_first_start_is_skipped_if_configured_so_and_nothing_else_is(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / "old").write_bytes(b"old\n" * 1000 + b"half")
    agent = start(initial_position="END_OF_FILE")
    assert agent.read() == []
    agent.write("old", b" a line\n")
    agent.write("new", b"new\n")
    agent.tail.refresh()
    assert agent.read() == [b"half a line\n", b"new\n"]
    agent.write("while-down", b"x\n")
    agent.restart()
    assert agent.read() == [b"x\n"]


def test_a_first_start_without_files_is_one(start: Start) -> None:
    agent = start(initial_position="END_OF_FILE")
    agent.write("a", b"x\n")
    agent.restart()
    assert agent.read() == [b"x\n"]


def test_older_files_are_read_to_their_end_first(start: Start, tmp_path: Path) -> None:
    agent = start()
    for name in ("c", "a", "b"):
        agent.write(name, f"{name}\n".encode() * 50_000)
    agent.tail.refresh()
    assert b"".join(dict.fromkeys(agent.read())) == b"c\na\nb\n"


def test_reading_goes_on_in_the_holes_of_what_is_done(start: Start) -> None:
    agent = start()
    agent.write("a", b"0\n1\n2\n3\n4\n5\n")
    agent.tail.refresh()
    (chunk,) = agent.chunks()
    for number in (1, 2, 4):
        agent.tail.done(Span(chunk.file, number * 2, number * 2 + 2))
    agent.save()
    agent.restart()
    assert agent.read() == [b"0\n", b"3\n", b"5\n"]
    agent.restart()
    assert agent.read() == []


@pytest.mark.parametrize("pattern", ["app.log*", "app.log"])
@pytest.mark.parametrize("is_down", [True, False])
def test_rename_and_create(start: Start, pattern: str, is_down: bool) -> None:
    agent = start(pattern)
    log = agent.write("app.log", b"1\n")
    agent.tail.refresh()
    assert agent.read() == [b"1\n"]
    agent.write("app.log", b"2\n3")
    log.rename(log.with_name("app.log.1"))
    agent.write("app.log", b"4\n")
    if is_down:
        agent.restart()
    else:
        agent.tail.refresh()
    assert agent.read() == [b"2\n", b"4\n"]
    with log.with_name("app.log.1").open("ab") as late:
        late.write(b"late\n")
    assert agent.read(11_000) == [b"3late\n"]


def test_rotated_and_deleted_while_nothing_can_be_read(start: Start) -> None:
    agent = start("app.log")
    for number in range(10):
        log = agent.write("app.log", f"{number}\n".encode())
        agent.tail.refresh()
        log.rename(log.with_name("app.log.1"))
        if number % 3 == 0:
            agent.tail.refresh()
    log.with_name("app.log.1").unlink()
    agent.tail.refresh()
    assert agent.read() == [f"{number}\n".encode() for number in range(10)]


def test_many_rotations_while_nothing_is_read(start: Start, tmp_path: Path) -> None:
    agent = start("app.log*")
    agent.write("app.log", b"0\n")
    agent.tail.refresh()
    assert agent.read() == [b"0\n"]
    for number in range(1, 30):
        for old in range(number, 0, -1):
            name = tmp_path / (f"app.log.{old - 1}" if old > 1 else "app.log")
            name.rename(tmp_path / f"app.log.{old}")
        agent.write("app.log", f"{number}\n".encode())
        if number % 7 == 0:
            agent.restart()
    agent.tail.refresh()
    assert agent.read() == [f"{number}\n".encode() for number in range(1, 30)]


@pytest.mark.parametrize("pattern", ["app.log*", "app.log"])
@pytest.mark.parametrize("is_down", [True, False])
@pytest.mark.parametrize("is_rewritten", [True, False])
def test_copy_truncate_sends_nothing_twice_and_loses_nothing(
    start: Start, pattern: str, is_down: bool, is_rewritten: bool
) -> None:
    agent = start(pattern)
    log = agent.write("app.log", b"1\n" * 700)
    agent.tail.refresh()
    assert len(agent.read()) == 700
    agent.write("app.log", b"2\n")
    shutil.copyfile(log, log.with_name("app.log.1"))
    agent.rewrite("app.log", b"3\n" * 3000 if is_rewritten else b"3\n")
    if is_down:
        agent.restart()
    else:
        agent.tail.touched([str(log)])
    assert sorted(set(agent.read())) == [b"2\n", b"3\n"]
    agent.restart()
    assert agent.read(30_000) == []


def test_what_is_acknowledged_after_copy_truncate_is_done_in_the_copy(start: Start) -> None:
    agent = start()
    log = agent.write("app.log", b"1\n2\n3\n")
    agent.tail.refresh()
    (chunk,) = agent.chunks()
    shutil.copyfile(log, log.with_name("app.log.1"))
    agent.rewrite("app.log", b"4\n")
    assert agent.read() == [b"4\n"]
    agent.tail.done(Span(chunk.file, 0, 2))
    agent.tail.done(Span(chunk.file, 4, 6))
    agent.save()
    agent.restart()
    assert agent.read() == [b"2\n"]


def test_a_copy_that_is_no_rotation_is_a_file_of_its_own_after_a_while(start: Start) -> None:
    agent = start()
    log = agent.write("app.log", b"1\n")
    agent.tail.refresh()
    agent.read()
    shutil.copyfile(log, log.with_name("app.log.backup"))
    agent.tail.refresh()
    assert agent.read() == []
    assert agent.read(20_000) == [b"1\n"]


def test_files_with_the_same_header_are_not_copies(start: Start) -> None:
    agent = start()
    header = b"#Software: x\n" * 300
    agent.write("app.log", header + b"1\n")
    agent.tail.refresh()
    agent.read()
    agent.write("app.log.err", header + b"2\n")
    agent.tail.refresh()
    assert agent.read(20_000)[-1] == b"2\n"


def test_truncation_in_place_begins_anew_and_delivers_the_partial_line(start: Start) -> None:
    agent = start()
    agent.write("app.log", b"1\n2\npart")
    agent.tail.refresh()
    assert agent.read() == [b"1\n", b"2\n"]
    agent.rewrite("app.log", b"3\n")
    assert agent.read() == [b"part", b"3\n"]
    agent.rewrite("app.log", b"other and longer\n" * 2)
    assert agent.read() == [b"other and longer\n"] * 2


def test_bytes_lost_to_truncation_are_counted_and_told(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    agent = start()
    agent.write("app.log", b"1\n" * 100)
    agent.tail.refresh()
    agent.clock.advance(1000)
    assert agent.tail.read(20) is not None
    assert agent.tail.pending_bytes == 180
    agent.rewrite("app.log", b"3\n")
    agent.read()
    assert agent.tail.counts.lost_bytes == 180
    assert "truncated before its last 180 bytes were read" in caplog.text


def test_a_file_rewritten_with_the_same_size_is_another(start: Start) -> None:
    agent = start()
    agent.write("app.log", b"1\n2\n")
    agent.tail.refresh()
    agent.read()
    agent.rewrite("app.log", b"3\n4\n")
    assert agent.read() == [b"3\n", b"4\n"]


def test_a_deleted_file_is_read_to_its_end_and_then_let_go(start: Start) -> None:
    agent = start()
    log = agent.write("app.log", b"1\n")
    agent.tail.refresh()
    assert agent.read() == [b"1\n"]
    with log.open("ab", buffering=0) as writer:
        writer.write(b"2\n")
        log.unlink()
        agent.tail.refresh()
        assert agent.read() == [b"2\n"]
        writer.write(b"3\nend")
    assert agent.read(11_000) == [b"3\n"]
    assert agent.read(11_000) == [b"end"]
    agent.clock.advance(61_000)
    agent.tail.refresh()
    assert (agent.tail.open_files, agent.tail.files(), agent.tail.counts.lost_bytes) == (0, [], 0)


def test_a_reused_inode_is_a_new_file(start: Start) -> None:
    agent = start()
    for number in range(20):
        log = agent.write("app.log", f"{number}\n".encode())
        agent.restart()
        assert agent.read() == [f"{number}\n".encode()]
        agent.tail.close()
        log.unlink()


def test_another_device_number_after_a_reboot(start: Start) -> None:
    agent = start()
    agent.write("a", b"1\n2\n")
    agent.tail.refresh()
    agent.read()
    assert agent.saved is not None
    agent.saved = {
        file._replace(device=99): progress._replace(file=file._replace(device=99))
        for file, progress in agent.saved.items()
    }
    agent.write("a", b"3\n")
    agent.restart()
    assert agent.read() == [b"3\n"]


def test_a_partial_last_line_waits_for_its_end_or_an_hour(start: Start) -> None:
    agent = start()
    agent.write("a", b"half")
    agent.tail.refresh()
    assert agent.read(600_000) == []
    assert agent.read(3_600_000) == [b"half"]


def test_a_multi_line_record_ends_with_the_next_or_with_quiet(start: Start) -> None:
    agent = start(multi_line_start_pattern="S")
    agent.write("a", b"S1\n x\nS2\n")
    agent.tail.refresh()
    assert agent.read() == [b"S1\n x\n"]
    agent.write("a", b" y\n half")
    assert agent.read() == []
    assert agent.read(6_000) == [b"S2\n y\n"]
    assert agent.read(6_000) == []
    assert agent.read(final=True) == [b" half"]


def test_at_the_end_everything_is_delivered(start: Start) -> None:
    agent = start(multi_line_start_pattern="S")
    agent.write("a", b"S1\n x\nS2\nhalf")
    agent.tail.refresh()
    assert agent.read(final=True) == [b"S1\n x\n", b"S2\nhalf"]
    assert agent.read(final=True) == []


def test_headers_are_skipped_in_every_file_from_its_beginning(start: Start) -> None:
    agent = start(skip_header_lines=2)
    agent.write("a", b"h1\nh")
    agent.tail.refresh()
    assert agent.read() == []
    agent.restart()
    agent.write("a", b"2\n1\n2\n")
    assert agent.read() == [b"1\n", b"2\n"]
    agent.restart()
    agent.write("a", b"3\n")
    agent.write("b", b"h\nh\nb\n")
    agent.tail.refresh()
    assert agent.read() == [b"3\n", b"b\n"]


@pytest.mark.parametrize("long_records", ["truncate", "split"])
def test_a_line_without_end_costs_no_memory(start: Start, long_records: str) -> None:
    agent = start(long_records=long_records, max_buffer_size_bytes=300_000)
    size = 30_000_000
    with (agent.directory / "a").open("wb") as file:
        file.truncate(size)
        file.seek(0, os.SEEK_END)
        file.write(b"\nnext\n")
    agent.tail.refresh()
    records = []
    for chunk in iter(lambda: agent.tail.read(1_000_000), None):
        assert chunk is not None
        records += [len(record) for record in chunk.records]
        agent.tail.done(Span(chunk.file, chunk.start, chunk.end))
    if long_records == "split":
        assert records == [300_000] * 100 + [1, 5]
    else:
        assert records == [300_000, 5]
        assert agent.tail.counts.bytes_cut == size + 1 - 300_000
    agent.save()
    agent.restart()
    assert agent.read() == []


def test_a_long_multi_line_record_ends_where_the_next_begins(start: Start) -> None:
    agent = start(multi_line_start_pattern="S", max_buffer_size_bytes=1000)
    agent.write("a", b"S1\n" + b" x\n" * 1000 + b"y" * 300_000 + b"\n" + b" z\n" * 200_000)
    agent.tail.refresh()
    assert agent.read() == []
    agent.write("a", b"S2\nS3\n")
    first, second = agent.read()
    assert (len(first), second) == (1000, b"S2\n")
    assert agent.read(6_000) == [b"S3\n"]


def test_what_is_no_plain_readable_file_is_skipped_with_one_warning(
    start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "old.gz").write_bytes(b"x\n")
    (tmp_path / "a").write_bytes(b"a\n")
    with caplog.at_level(logging.WARNING):
        agent = start()
        for _ in range(3):
            agent.tail.refresh()
    assert agent.read() == [b"a\n"]
    assert sorted(record.getMessage().split(": ")[1].split(";")[0] for record in caplog.records) == [
        "is a directory, not a file",
        "is a pipe, not a file",
    ]


def test_symbolic_links_are_followed_and_a_file_with_two_names_is_read_once(start: Start, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "1").write_bytes(b"1\n")
    link = tmp_path / "app.log"
    link.symlink_to(elsewhere / "1")
    os.link(elsewhere / "1", tmp_path / "app.same")
    (tmp_path / "app.link").symlink_to(elsewhere / "1")
    agent = start("app.*")
    assert agent.read() == [b"1\n"]
    assert elsewhere not in agent.tail.directories()
    os.unlink(tmp_path / "app.same")
    agent.tail.refresh()
    assert elsewhere in agent.tail.directories()
    with (elsewhere / "1").open("ab") as file:
        file.write(b"2\n")
    (elsewhere / "2").write_bytes(b"3\n")
    link.unlink()
    (tmp_path / "app.link").unlink()
    link.symlink_to(elsewhere / "2")
    agent.tail.refresh()
    assert agent.read(20_000) == [b"2\n", b"3\n"]


def test_more_files_than_descriptors(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptors_module, "KEPT_MAX", 8)
    agent = start()
    for _ in range(3):
        for number in range(50):
            agent.write(f"{number}.log", b"x\n" * 3)
        agent.tail.refresh()
        assert len(agent.read(20_000)) == 150
        assert agent.tail.open_files <= 8


def test_idle_files_are_looked_at_ever_less_often_and_an_event_wakes_one(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = start()
    paths = [str(agent.write(f"{number}.log", b"x\n")) for number in range(20)]
    agent.tail.refresh()
    for _ in range(20):
        agent.read(10_000)
    looks: list[object] = []
    real_stat = os.stat

    def counting(path: str, **options: bool) -> os.stat_result:
        looks.append(path)
        return real_stat(path, **options)

    monkeypatch.setattr(os, "stat", counting)
    for _ in range(50):
        agent.read(100)
    assert len(looks) <= 21
    looks.clear()
    agent.clock.advance(1)
    agent.write("7.log", b"y\n")
    looks.clear()
    agent.tail.touched([paths[7], str(agent.directory / "unrelated.gz")])
    assert agent.read(0) == [b"y\n"]
    assert len(looks) < 10


def test_spans_of_files_that_nobody_knows_are_ignored(start: Start) -> None:
    agent = start()
    agent.tail.done(Span(FileId(1, 2, 3), 0, 10))
    assert agent.tail.changed() == []


def test_files_that_are_there_are_saved_anew_now_and_then(start: Start) -> None:
    agent = start()
    agent.write("a", b"1\n")
    agent.tail.refresh()
    agent.read()
    assert agent.tail.changed() == []
    agent.clock.advance(7 * 3_600_000)
    assert len(agent.tail.changed()) == 1


def test_an_unreadable_file_is_told_once_and_read_when_it_can_be(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    agent = start()
    agent.write("a", b"1\n")
    agent.write("b", b"2\n")
    real_open = os.open

    def deny(path: str, flags: int) -> int:
        if path.endswith("/a"):
            raise PermissionError(13, "Permission denied", path)
        return real_open(path, flags)

    monkeypatch.setattr(os, "open", deny)
    with caplog.at_level(logging.WARNING):
        agent.tail.refresh()
        assert [*agent.read(20_000), *agent.read(20_000)] == [b"2\n"]
    assert [record.getMessage() for record in caplog.records] == [
        f"{agent.directory}/a: cannot be read (Permission denied); it is skipped and tried again"
    ]
    monkeypatch.undo()
    assert agent.read(20_000) == [b"1\n"]


def test_names_that_are_no_text_are_files_as_any(start: Start, tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/\xff.log", "wb") as file:
        file.write(b"1\n")
    agent = start("*.log")
    assert agent.read() == [b"1\n"]


def test_deleted_files_are_held_only_so_many(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(descriptors_module, "GONE_MAX", 5)
    agent = start()
    paths = [agent.write(f"{number}.log", b"x\n" * 3) for number in range(20)]
    agent.tail.refresh()
    agent.clock.advance(1000)
    assert agent.tail.read(1) is not None
    for path in paths:
        path.unlink()
    agent.tail.refresh()
    assert agent.tail.open_files == 5
    assert "was deleted before its last" in caplog.text
    agent.read()
    assert agent.tail.counts.lost_bytes > 0


def test_a_directory_that_cannot_be_looked_into_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    closed = tmp_path / "httpd"
    closed.mkdir()
    scandir = os.scandir

    def refuse(path: str) -> object:
        if str(path) == str(closed):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr("os.scandir", refuse)
    agent = Agent(closed, "*.log")
    agent.tail.refresh()
    assert caplog.messages == [f"{closed}: cannot be looked into (Permission denied); it is skipped and tried again"]
    caplog.clear()
    monkeypatch.undo()
    agent.write("a.log", b"one\n")
    agent.tail.refresh()
    assert agent.read() == [b"one\n"]
    assert not caplog.messages


def test_records_that_are_cut_off_are_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    agent = Agent(tmp_path, max_buffer_size_bytes=10)
    agent.write("a.log", b"0123456789abc\n" * 3)
    agent.tail.refresh()
    assert agent.read() == [b"012345678\n"] * 3
    (message,) = caplog.messages
    assert message.startswith(
        f"{tmp_path}/a.log: a record is longer than 10 bytes and was cut off; 3 records and 12 bytes of this flow"
    )
    agent.write("a.log", b"0123456789abc\n")
    agent.read()
    assert len(caplog.messages) == 1
    agent.write("a.log", b"0123456789abc\n")
    agent.read(60_000)
    assert "5 records and 20 bytes" in caplog.messages[1]


@pytest.mark.parametrize("length", [20, 2_000])
def test_a_start_pattern_that_never_matches_is_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, length: int
) -> None:
    agent = Agent(tmp_path, multi_line_start_pattern=r"^\[", max_buffer_size_bytes=1_000)
    agent.write("a.log", b"no bracket\n" * length)
    agent.tail.refresh()
    agent.read()
    agent.read(10_000)
    assert [message for message in caplog.messages if "cut off" not in message] == [
        f"{tmp_path}/a.log: multiLineStartPattern has matched no line so far: what comes is one record"
    ]


def test_a_start_pattern_that_matches_is_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    agent = Agent(tmp_path, multi_line_start_pattern=r"^\[")
    agent.write("a.log", b"the rest of a record\n[1\n 2\n[3\n")
    agent.tail.refresh()
    assert agent.read() == [b"the rest of a record\n", b"[1\n 2\n"]
    assert not caplog.messages


def test_a_start_pattern_that_backtracks_for_ever_is_stopped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    agent = Agent(tmp_path, multi_line_start_pattern=r"(\w+\s*)+:")
    agent.write("a.log", b"a: 1\n" + b"word " * 100 + b"\nb: 2\n")
    agent.tail.refresh()
    assert agent.read(final=True) == [b"a: 1\n" + b"word " * 100 + b"\n", b"b: 2\n"]
    (message,) = caplog.messages
    assert message.startswith(r"(\w+\s*)+: takes too long on a line, which is taken not to match: b'word word")
