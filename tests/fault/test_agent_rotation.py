"""Files are rotated under the agent, and servers come and go: nothing is skipped."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from support.agentruns import AgentProcess, StreamReader, numbered
from support.kinesis import connect, create_stream
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.server import Server


def rename(log: Path) -> None:
    """As logrotate's `create`: the file gets another name, and a new one is made."""
    number = len(list(log.parent.glob("app.log*")))
    log.rename(log.with_name(f"app.log.{number}"))
    log.touch()


def copy_truncate(log: Path) -> None:
    """As logrotate's `copytruncate`."""
    number = len(list(log.parent.glob("app.log*")))
    shutil.copyfile(log, log.with_name(f"app.log.{number}"))
    os.truncate(log, 0)


def truncate(log: Path) -> None:
    """The file begins anew, in place. What was not read is gone: so the caller waits."""
    os.truncate(log, 0)


def delete(log: Path) -> None:
    """The file goes, and a new one of its name is made. What was not open is gone: so the caller waits."""
    log.unlink()
    log.touch()


def date(log: Path) -> None:
    """The file stays, and a new one with a later name is written: nothing to do but to change the name."""
    number = len(list(log.parent.glob("app.log*")))
    log.rename(log.with_name(f"app.log-{20260101 + number}"))


class Site:
    """A log directory and the stream that its flow goes to."""

    def __init__(self, server: Server, directory: Path, rotate: Callable[[Path], None]) -> None:
        self.log = directory / rotate.__name__ / "app.log"
        self.log.parent.mkdir()
        self.stream = create_stream(connect(server.url), StreamName=rotate.__name__)
        self.reader = StreamReader(server.url, self.stream)
        self.written: list[bytes] = []
        self._rotate = rotate

    def flow(self) -> dict[str, Any]:
        """As in agent.json. What is written comes to whole batches: nothing waits to be old enough."""
        return {"filePattern": f"{self.log}*", "kinesisStream": self.stream, "maxBufferSizeRecords": 20}

    def write(self, count: int) -> None:
        """Lines, in a few writes that end anywhere."""
        lines = numbered(count, first=len(self.written))
        text = b"".join(lines)
        with self.log.open("ab", buffering=0) as file:
            for at in range(0, len(text), 997):
                file.write(text[at : at + 997])
        self.written += lines

    def rotate(self) -> None:
        """In this site's way."""
        self._rotate(self.log)

    def is_done(self, agent: AgentProcess) -> bool:
        """Whether all that was written is in the checkpoints."""
        last = self.log.stat()
        return any(
            each.file.inode == last.st_ino and bool(each.done) and each.done[0] == (0, last.st_size)
            for each in agent.progress()
        )


class Sites(NamedTuple):
    """All sites, and the agent that follows them."""

    all: list[Site]
    agent: AgentProcess

    def write(self, count: int) -> None:
        """So many lines everywhere."""
        for site in self.all:
            site.write(count)

    def rotate(self) -> None:
        """Everywhere."""
        for site in self.all:
            site.rotate()

    def wait_until_done(self) -> None:
        """Until everything is in the streams, and in the checkpoints."""
        for site in self.all:
            site.reader.wait_for(site.written)
        wait_for(lambda: all(site.is_done(self.agent) for site in self.all), "the checkpoints", interval_s=0.05)


@pytest.fixture
def make_sites(server: Server, tmp_path: Path) -> Iterator[Callable[..., Sites]]:
    """Makes sites that rotate in these ways: `make_sites(rename, date)`."""
    made: list[AgentProcess] = []

    def make(*ways: Callable[[Path], None]) -> Sites:
        sites = [Site(server, tmp_path, rotate) for rotate in ways]
        made.append(AgentProcess(tmp_path / "agent", server.url, [site.flow() for site in sites]))
        return Sites(sites, made[-1])

    yield make
    for agent in made:
        agent.close()
        assert "Traceback" not in agent.log_text(), agent.log_text()


def test_rotation_while_the_agent_runs_and_while_it_does_not(make_sites: Callable[..., Sites]) -> None:
    sites = make_sites(rename, copy_truncate, truncate, delete, date)
    sites.write(100)
    sites.agent.start()
    sites.wait_until_done()
    sites.rotate()
    sites.write(120)
    sites.wait_until_done()
    assert sites.agent.terminate() == 0
    sites.rotate()
    sites.write(140)
    sites.agent.start()
    sites.wait_until_done()
    assert sites.agent.terminate() == 0
    for site in sites.all:
        assert sorted(site.reader.records()) == site.written, f"each line once: {site.stream}"


def test_rotation_while_the_server_is_down(server: Server, make_sites: Callable[..., Sites]) -> None:
    sites = make_sites(rename, date)
    sites.agent.start()
    sites.write(100)
    sites.wait_until_done()
    server.kill()
    for _ in range(4):
        sites.write(500)
        sites.rotate()
    sites.write(300)
    sites.agent.wait_for_log("nothing is lost", times=2)
    server.start()
    sites.wait_until_done()
    assert sites.agent.terminate() == 0
    assert [len(site.reader.records()) for site in sites.all] == [len(site.written) for site in sites.all]


def test_the_server_is_killed_while_records_come_in(server: Server, make_sites: Callable[..., Sites]) -> None:
    sites = make_sites(rename)
    [site] = sites.all
    sites.agent.start()
    for _ in range(2):
        before = len(site.reader.records())
        site.write(3000)
        wait_for(lambda before=before: len(site.reader.records()) > before, "records", interval_s=0.005)  # type: ignore[misc]
        server.kill()
        site.write(3000)
        server.start()
    found = site.reader.wait_for(site.written)
    assert set(found) == set(site.written)
    assert sites.agent.terminate() == 0


def test_files_that_are_rotated_and_deleted_in_an_outage(server: Server, tmp_path: Path) -> None:
    """There is no room for what they have: they have to be opened all the same while they have names."""
    url = server.url
    log = tmp_path / "app.log"
    stream = create_stream(connect(url))
    flow = {
        "filePattern": f"{log}*",
        "kinesisStream": stream,
        "maxBufferSizeRecords": 5,
        "publishQueueCapacity": 1,
        "maxTimeBetweenFileTrackerRefreshMillis": 100,
    }
    agent = AgentProcess(tmp_path / "agent", url, [flow])
    written = numbered(100)
    try:
        log.write_bytes(b"".join(written[:10]))
        agent.start()
        reader = StreamReader(url, stream)
        reader.wait_for(written[:10])
        server.kill()
        log.write_bytes(b"".join(written[:50]))
        agent.wait_for_log("no server at")
        later = tmp_path / "app.log.1"
        later.write_bytes(b"".join(written[50:]))
        wait_for(lambda: agent.has_open(later), "the agent to open the file that it has no room for")
        later.unlink()
        server.start()
        StreamReader(url, stream).wait_for(written)
        assert agent.terminate() == 0
    finally:
        agent.close()
