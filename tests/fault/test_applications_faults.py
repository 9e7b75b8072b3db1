"""What goes wrong around applications: memory, disks, limits, processes that hang or crash, restarts."""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

import pytest

from support.applications import COUNTS, Live, LiveApplication, arn, by_window
from support.deliveries import flush
from support.livedelivery import LiveDelivery
from support.server import PAGE_BYTES
from support.smalldisk import small_disk
from support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.server import Server

MEMORY_MIB = 256
HOARD = """\
CREATE STREAM "OUT" (t VARCHAR(65535), c BIGINT);
CREATE PUMP "HOARD" AS INSERT INTO "OUT"
SELECT STREAM t, COUNT(*) FROM "SOURCE_SQL_STREAM_001" AS s GROUP BY t, STEP(s.ROWTIME BY INTERVAL '1' DAY);
"""


def test_one_that_needs_too_much_memory_stops_alone_and_says_so(make_server: Callable[..., Server]) -> None:
    server = make_server(options=["--application-memory-mib", str(MEMORY_MIB)]).start()
    live = Live(server)
    hoard = live.application(HOARD, columns={"k": "VARCHAR(16)", "n": "BIGINT", "t": "VARCHAR(65535)"}).start()
    steady = live.application().start()
    number = 0

    def failed() -> str | None:
        nonlocal number
        for _ in range(10):
            live.put(*({"k": "a", "n": number, "t": f"{number}-{at}-" + "x" * 50_000} for at in range(40)))
            number += 1
        failure: str | None = hoard.progress().get("Failure")
        return failure

    failure = wait_for(failed, "it to need too much", timeout_s=60)
    assert f"{MEMORY_MIB} MiB" in failure
    assert "application_memory_mib" in failure
    assert hoard.detail()["ApplicationStatus"] == "READY"
    wait_for(lambda: {"N": number - 1}.items() <= (steady.rows() or [{}])[-1].items(), "the other to go on")
    assert steady.detail()["ApplicationStatus"] == "RUNNING"


def test_few_keys_need_no_more_memory_after_many_rows(server: Server) -> None:
    live = Live(server)
    application = live.application(COUNTS).start()
    batch = [b'{"k": "key-%d", "n": %d}\n' % (at % 5, at) * 120 for at in range(500)]  # 120 rows a record
    pid = application.pid()
    resident: list[int] = []
    for burst in range(1, 9):
        for _ in range(4):
            live.put(*batch)
        rows = burst * 240_000
        wait_for(lambda rows=rows: application.progress().get("RowsIn") == rows, "all rows", timeout_s=60)  # type: ignore[misc]
        resident.append(resident_bytes(pid))
    # what is resident after a burst swings by tens of MiB with what the allocators keep: the troughs tell
    assert min(resident[4:]) - min(resident[:4]) < 32 << 20, resident
    assert application.pid() == pid
    assert application.progress()["StateBytes"] < 1 << 20


def resident_bytes(pid: int) -> int:
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * PAGE_BYTES


def test_a_full_disk_stops_no_application_and_loses_nothing(tmp_path: Path, make_server: Callable[..., Server]) -> None:
    with small_disk(tmp_path / "disk", 40) as disk:
        server = make_server(disk.path / "data", inside=disk.inside).start()
        live = Live(server)
        results = live.stream()
        application = live.application(outputs={"OUT": arn("stream", results)}).start()
        live.put({"k": "a", "n": 0})
        live.await_results(results, [0])
        saved_ms = application.await_checkpoint()
        pid = application.pid()
        ballast = disk.outside / "ballast"
        taken = 1

        def put() -> bool:
            nonlocal taken
            record = {"Data": b'{"k": "%s", "n": %d}' % (b"x" * 100, taken), "PartitionKey": "k"}
            if live.kinesis.put_records(StreamName=live.source, Records=[record])["FailedRecordCount"]:
                return False
            taken += 1
            return True

        def refused() -> bool:
            fill(ballast)
            return not put()

        wait_for(refused, "the disk to be full", timeout_s=30, interval_s=0)
        wait_for(lambda: application.progress().get("RowsIn", 0) >= taken, "what was taken to be read")
        assert application.rows()[-1]["N"] == taken - 1
        ballast.unlink()
        live.await_results(results, range(taken))
        application.await_checkpoint(saved_ms)
        assert put()
        live.await_results(results, [taken - 1])
        assert application.pid() == pid
        assert application.detail()["ApplicationStatus"] == "RUNNING"


def fill(path: Path) -> None:
    """Leave not a byte on the disk."""
    with path.open("ab", buffering=0) as file:
        until_full = iter(partial(file.write, bytes(PAGE_BYTES)), 0)
        with pytest.raises(OSError, match="No space left"):
            deque(until_full, maxlen=0)


def test_results_come_in_order_through_a_throttle(make_server: Callable[..., Server]) -> None:
    server = make_server(limits="aws").start()
    live = Live(server, shards=4)
    results = live.stream()
    count = 3_000  # a shard takes a thousand a second
    application = live.application(outputs={"OUT": arn("stream", results)}, parallelism=1).start()
    for first in range(0, count, 500):
        live.put(*({"k": "a", "n": first + at} for at in range(500)))
    numbers = [row["N"] for row in live.await_results(results, range(count), timeout_s=60)]
    assert sorted(numbers) == list(range(count))
    application.stop()


def test_a_stream_of_a_delivery_stream_is_kept_until_it_is_read(server: Server) -> None:
    source = LiveDelivery(server)
    source.create(ExtendedS3DestinationConfiguration=source.s3(BufferingHints={"SizeInMBs": 1, "IntervalInSeconds": 0}))
    application = LiveApplication(server).create(arn("deliverystream", source.name)).start()
    source.put(b'{"k": "a", "n": 0}')
    application.await_rows(1)
    application.await_checkpoint()
    pid = application.pid()
    os.kill(pid, signal.SIGSTOP)
    for number in range(1, 41):
        source.put(b'{"k": "%s", "n": %d}' % (b"x" * 900_000, number))
    flush(server.url, source.name)
    os.kill(pid, signal.SIGKILL)
    application.await_rows(40, timeout_s=30)
    assert {row["N"] for row in application.rows()} >= set(range(1, 41))


def test_a_server_takes_its_applications_up_again_and_ends_with_them(server: Server) -> None:
    live = Live(server)
    results = live.stream()
    application = live.application(COUNTS, outputs={"OUT": arn("stream", results)}).start()
    live.put({"k": "a", "n": 1})
    wait_for(lambda: application.rows("SOURCE_SQL_STREAM_001"), "the row to be read")
    pid = application.pid()
    assert server.terminate() == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    server.start()
    application.await_status("RUNNING")
    live.await_results(results, ["a"], key="K")
    assert [pair for pairs in by_window(live.results(results)).values() for pair in pairs] == [(1, 1)]
    pid = application.pid()
    server.kill()
    wait_for(lambda: not is_there(pid), "its process to be gone")


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_process_that_hangs_is_ended_by_a_stop(server: Server) -> None:
    live = Live(server)
    application = live.application().start()
    pid = application.pid()
    os.kill(pid, signal.SIGSTOP)
    began_s = time.monotonic()
    assert application.rows() == []
    application.stop()
    assert time.monotonic() - began_s < 25
    assert not is_there(pid)
    application.start("LAST_STOPPED_POINT")
    live.put({"k": "a", "n": 1})
    application.await_rows(1)


def test_one_that_meets_a_mistake_of_ours_again_and_again_stops_and_names_it(server: Server) -> None:
    live = Live(server)
    other = live.application().start()
    application = live.application().start()
    live.put({"k": "a", "n": 1})
    application.await_rows(1)
    application.await_checkpoint()
    (directory,) = [
        path for path in (server.data_dir / "applications").iterdir() if path.name in open_paths(application.pid())
    ]
    application.stop()
    content = (directory / "checkpoint").read_bytes()
    (directory / "checkpoint").write_bytes(content.replace(b"$", b"?").replace(b"operators", b"0perat0rs"))
    application.begin("LAST_STOPPED_POINT")
    failure = application.await_failure(timeout_s=60)
    assert "KeyError" in failure
    assert "operators" in failure
    assert other.detail()["ApplicationStatus"] == "RUNNING"
    (directory / "checkpoint").write_bytes(b"no checkpoint")
    application.begin("LAST_STOPPED_POINT")
    assert "TRIM_HORIZON" in application.await_failure()
    application.start("TRIM_HORIZON")
    application.await_rows(1)


def open_paths(pid: int) -> str:
    return " ".join(os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd"))
