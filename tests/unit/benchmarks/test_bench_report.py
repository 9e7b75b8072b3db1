from __future__ import annotations

import pytest

from benchmarks.figures import ALL_METRICS, advantage, medians, percentile
from benchmarks.goals import GOALS, behind
from benchmarks.machine import Machine
from benchmarks.report import Report, ServerReport, markdown, table

MACHINE = Machine(
    cores=2,
    cpu="a CPU",
    memory_gib=24.0,
    kernel="6.18",
    python="3.11",
    file_system="ext4",
    sync_ms_median=0.2,
)


def report(*servers: ServerReport) -> Report:
    return Report(MACHINE, rounds=3, seconds=3.0, servers=list(servers))


@pytest.mark.parametrize(("percent", "expected"), [(50, 50), (99, 99), (100, 100), (0.5, 1)])
def test_percentiles_are_values_that_occurred(percent: float, expected: float) -> None:
    assert percentile([float(value) for value in range(100, 0, -1)], percent) == expected


def test_a_median_is_taken_over_the_rounds_that_have_the_figure() -> None:
    assert medians([{"a": 1.0, "b": 5.0}, {"a": 9.0}, {"a": 2.0}]) == {"a": 2.0, "b": 5.0}


@pytest.mark.parametrize(("key", "ours", "theirs"), [("put_records_1k", 300, 100), ("put_record_p50", 1, 3)])
def test_an_advantage_above_one_is_ours_whichever_way_is_better(key: str, ours: float, theirs: float) -> None:
    assert advantage(ALL_METRICS[key], {key: ours}, {key: theirs}) == pytest.approx(3.0)


def test_no_advantage_is_claimed_over_a_figure_that_is_not_there() -> None:
    assert advantage(ALL_METRICS["put_records_1k"], {"put_records_1k": 1.0}, {}) is None


def test_goals_are_met_at_their_bound_and_missed_beyond_it() -> None:
    rate = next(goal for goal in GOALS if goal.key == "put_records_1k")
    cpu = next(goal for goal in GOALS if goal.key == "put_records_1k_cpu")
    assert rate.verdict({rate.key: rate.bound}) == cpu.verdict({cpu.key: cpu.bound}) == "met"
    assert rate.verdict({rate.key: rate.bound - 1}) == cpu.verdict({cpu.key: cpu.bound + 1}) == "missed"
    assert rate.verdict({}) == "not measured"


def test_a_restart_on_too_small_a_log_says_nothing_of_the_goal() -> None:
    goal = next(goal for goal in GOALS if goal.key == "large_restart")
    assert goal.verdict({"large_restart": 1.0, "large_gib": 2.0}) == "not measured"
    assert goal.verdict({"large_restart": 1.0, "large_gib": 5.1}) == "met"


def test_every_figure_behind_a_peer_is_named() -> None:
    ours = {"put_record_64": 50.0, "get_records_mb": 300.0}
    assert behind(ours, {"peer": {"put_record_64": 100.0, "get_records_mb": 100.0}}) == [
        "PutRecord, 1 KiB, 64 connections (calls/s): 0.50 times peer"
    ]


def test_a_table_aligns_figures_to_the_right_and_words_to_the_left() -> None:
    assert table(["", "n", "why"], [["a", "1,000", "x"], ["bb", "-", "3.3.3"]]).splitlines() == [
        "|    |     n | why   |",
        "| -- | ----: | ----- |",
        "| a  | 1,000 | x     |",
        "| bb |     - | 3.3.3 |",
    ]


def test_a_peer_that_could_not_be_had_is_in_the_table_with_the_reason() -> None:
    missing = ServerReport("peer", "1.0", "nothing", faults=["not measured: cargo is not installed here"])
    text = markdown(report(ServerReport("millstream", "", "all", {"put_record_64": 9000.0}), missing))
    assert "cargo is not installed here" in text
    assert "times better" not in text


def test_a_report_states_ratios_goals_and_where_we_are_behind() -> None:
    ours = ServerReport("millstream", "", "all", {"put_record_64": 9000.0, "put_record_p50": 2.0})
    peer = ServerReport("peer", "1.0", "nothing", {"put_record_64": 3000.0, "put_record_p50": 1.0})
    lines = [" ".join(line.split()) for line in markdown(report(ours, peer)).splitlines()]
    assert "| PutRecord, 1 KiB, 64 connections (calls/s) | 3.00 |" in lines
    assert "| PutRecord, 1 KiB, 64 connections | at least 8,000 calls/s | 9,000 | met |" in lines
    assert "| PutRecord, 1 KiB, one connection, p50 | at most 1.5 ms | 2.00 | missed |" in lines
    assert "- PutRecord, 1 KiB, one connection, p50 (ms): 0.50 times peer" in lines


def test_a_report_shows_the_sections_that_were_measured_and_no_others() -> None:
    ours = ServerReport("millstream", "", "all", {"deliver_gzip_mb": 200.0})
    text = markdown(report(ours))
    assert [line for line in text.splitlines() if line.startswith("###")] == [
        "### Servers",
        "### Delivery, by second of one core's time",
        "### Goals",
    ]
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "| GZIP (MB/s) | 200 |" in lines
    assert "| GZIP | at least 150 MB/s | 200 | met |" in lines
