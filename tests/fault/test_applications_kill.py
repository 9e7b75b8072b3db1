"""SIGKILL of applications' processes and of the whole server, over and over, while records flow through windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.applications import COUNTS, Live, LiveApplication, Ticks, arn, by_window
from support.waiting import wait_for

if TYPE_CHECKING:
    from support.server import Server

RUNNING_SUMS = """\
CREATE STREAM "OUT" (k VARCHAR(16), n BIGINT, c BIGINT, s BIGINT);
CREATE PUMP "SLIDE" AS INSERT INTO "OUT"
SELECT STREAM k, n, COUNT(*) OVER w, SUM(n) OVER w
FROM "SOURCE_SQL_STREAM_001" WINDOW w AS (PARTITION BY k ROWS 9 PRECEDING);
"""


def await_truth(live: Live, results: str) -> None:
    """Wait until every window is there, and see that what is said of each is the truth."""
    truth = live.truth()
    assert truth

    def complete() -> bool:
        return truth.keys() <= by_window(live.results(results)).keys()

    wait_for(complete, "a result of every key and window", timeout_s=30, interval_s=0.2)
    found = by_window(live.results(results))
    assert found == {place: {pair} for place, pair in truth.items()}


def test_every_window_is_counted_exactly_through_kills(server: Server) -> None:
    live = Live(server, shards=2)
    results = live.stream()
    application = live.application(COUNTS, outputs={"OUT": arn("stream", results)}).start("TRIM_HORIZON")
    ticks = Ticks(live)
    checkpoint_ms = 0
    try:
        for kill in range(4):
            ticks.await_more(500)
            checkpoint_ms = application.await_checkpoint(checkpoint_ms)
            if kill == 2:
                server.kill()
                server.start()
                application.await_status("RUNNING")
            else:
                application.kill()
        ticks.await_more(500)
    finally:
        ticks.stop()
    await_truth(live, results)
    assert application.detail()["ApplicationStatus"] == "RUNNING"


def test_stops_lose_and_double_nothing(server: Server) -> None:
    live = Live(server)
    results, slides = live.stream(), live.stream()
    application = live.application(COUNTS, outputs={"OUT": arn("stream", results)}).start("TRIM_HORIZON")
    sliding = live.application(RUNNING_SUMS, outputs={"OUT": arn("stream", slides)}).start("TRIM_HORIZON")
    ticks = Ticks(live, count=1)
    try:
        for _ in range(2):
            ticks.await_more(300)
            for each in (application, sliding):
                each.stop()
                each.start("LAST_STOPPED_POINT")
        ticks.await_more(300)
        server.terminate()
        server.start()
        ticks.await_more(300)
    finally:
        ticks.stop()
    await_truth(live, results)
    assert len(live.results(results)) == len(live.truth())
    _assert_slides(live, slides, ticks.taken)
    _assert_anew(application, live, results)


def _assert_slides(live: Live, slides: str, count: int) -> None:
    """One row a record, each with the sums of the last ten of its key."""
    wait_for(lambda: len(live.results(slides)) >= count, "all rows", interval_s=0.2)
    seen: dict[str, list[int]] = {}
    for row in live.results(slides):
        window = seen.setdefault(row["K"], [])
        window.append(row["N"])
        assert (row["C"], row["S"]) == (len(window[-10:]), sum(window[-10:]))
    truth = live.truth(1 << 60)
    assert {key: (len(own), sum(own)) for key, own in seen.items()} == {key: pair for (key, _), pair in truth.items()}


def _assert_anew(application: LiveApplication, live: Live, results: str) -> None:
    """TRIM_HORIZON computes everything once more; NOW leaves out what was before."""
    before, windows = len(live.results(results)), len(live.truth())
    application.stop()
    application.start("TRIM_HORIZON")
    wait_for(lambda: len(live.results(results)) >= before + windows, "everything again", interval_s=0.2)
    await_truth(live, results)
    application.stop()
    live.put({"k": "missed", "n": 1})
    application.start("NOW")
    live.put({"k": "late", "n": 2})
    wait_for(lambda: "late" in {row["K"] for row in live.results(results)}, "what came after", interval_s=0.2)
    assert "missed" not in {row["K"] for row in live.results(results)}
