"""The console's templates over ticks like the demo's: what each gives is what plain Python finds."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest

from millstream.analytics.records.schema import RecordColumn, Schema
from millstream.analytics.templates import template, templates
from support.analyticsruns import Program, Row, assert_alike, milliseconds, run_program, ways

BEGIN_MS = 1_710_493_205_400  # 2024-03-15 09:00:05.400
TICKERS = {"AMZN": "TECHNOLOGY", "JKL": "TECHNOLOGY", "ASD": "FINANCIAL", "WMT": "RETAIL", "SAC": "ENERGY"}
SCHEMA = Schema(
    columns=tuple(
        RecordColumn(name=name, sql_type=sql_type, mapping=f"$.{name}")
        for name, sql_type in (
            ("TICKER_SYMBOL", "VARCHAR(4)"),
            ("SECTOR", "VARCHAR(16)"),
            ("CHANGE", "REAL"),
            ("PRICE", "REAL"),
        )
    )
)


class Tick(NamedTuple):
    """One record; numbers as REAL has them."""

    at_ms: int
    ticker: str
    sector: str
    change: float
    price: float


def _ticks() -> list[Tick]:
    """Some four minutes of ticks: several in one millisecond, and a pause of more than a minute."""
    chance, at_ms, made = random.Random(20240315), BEGIN_MS, []
    for number in range(400):
        at_ms += 65_000 if number == 300 else chance.choice([0, 1, 40, 250, 400, 1500])
        ticker = chance.choices(list(TICKERS), weights=[5, 4, 3, 2, 1])[0]
        change, price = round(chance.gauss(0, 0.8), 2), round(chance.uniform(5, 120), 2)
        made.append(Tick(at_ms, ticker, TICKERS[ticker], float(np.float32(change)), float(np.float32(price))))
    return made


TICKS = _ticks()


def _record(tick: Tick) -> bytes:
    members = {"TICKER_SYMBOL": tick.ticker, "SECTOR": tick.sector, "CHANGE": round(tick.change, 2)}
    return json.dumps({"ROWTIME": tick.at_ms} | members | {"PRICE": round(tick.price, 2)}).encode()


def _found(
    name: str, ticks: Sequence[Tick] = TICKS, also: Sequence[str] = ("in random cuts", "with a restart")
) -> list[tuple[Any, ...]]:
    """(ROWTIME in ms, columns …) of the rows that the template gives; however its records are cut."""
    code = template(name)
    assert code is not None
    program, records = Program(code.code, SCHEMA), [_record(tick) for tick in ticks]
    rows = run_program(program, records)
    cuts = ways(len(records), seed=7)
    assert all(run_program(program, records, cuts[way]) == rows for way in also)
    assert "error_stream" not in rows
    return [_values(row) for row in rows["DESTINATION_SQL_STREAM"]]


def _values(row: Row) -> tuple[Any, ...]:
    time, *values = row.values()
    return (milliseconds(time), *values)


def _plain(tick: Tick) -> tuple[Any, ...]:
    return (tick.at_ms, tick.ticker, tick.sector, tick.change, tick.price)


def _filtered() -> list[tuple[Any, ...]]:
    return [_plain(tick) for tick in TICKS if "TECH" in tick.sector]


def _alerts() -> list[tuple[Any, ...]]:
    return [_plain(tick) for tick in TICKS if abs(tick.change) > 1]


def _steps(ticks: Sequence[Tick], step_ms: int) -> Iterator[tuple[int, list[Tick]]]:
    """The ticks of each step, with its end."""
    steps: dict[int, list[Tick]] = defaultdict(list)
    for tick in ticks:
        steps[(tick.at_ms // step_ms + 1) * step_ms].append(tick)
    yield from steps.items()


def _by_ticker(ticks: Sequence[Tick]) -> dict[str, list[Tick]]:
    groups: dict[str, list[Tick]] = {}
    for tick in ticks:
        groups.setdefault(tick.ticker, []).append(tick)
    return groups


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _tumbling() -> list[tuple[Any, ...]]:
    return [
        (end, ticker, len(prices), min(prices), max(prices), _mean(prices))
        for end, ticks in _steps(TICKS, 10_000)
        for ticker, prices in ((ticker, [one.price for one in group]) for ticker, group in _by_ticker(ticks).items())
    ]


def _multi_step() -> list[tuple[Any, ...]]:
    return [
        (end, ticker, len(group), _mean([one.change for one in group]), max(one.price for one in group))
        for end, ticks in _steps([tick for tick in TICKS if tick.change > 0], 60_000)
        for ticker, group in _by_ticker(ticks).items()
        if len(group) > 1
    ]


def _sliding_time() -> list[tuple[Any, ...]]:
    made = []
    for number, tick in enumerate(TICKS):
        near = (one for one in TICKS[: number + 1] if one.ticker == tick.ticker and one.at_ms >= tick.at_ms - 10_000)
        prices = [one.price for one in near]
        made.append((tick.at_ms, tick.ticker, min(prices), max(prices), _mean(prices)))
    return made


def _sliding_rows() -> list[tuple[Any, ...]]:
    made, seen = [], defaultdict[str, list[float]](list)
    for tick in TICKS:
        prices = seen[tick.ticker]
        prices.append(tick.price)
        before = prices[-2] if len(prices) > 1 else None
        made.append((tick.at_ms, tick.ticker, tick.price, before, _mean(prices[-2:]), _mean(prices[-10:])))
    return made


def _throttled() -> list[tuple[Any, ...]]:
    """An alert if there was none of the share in the minute before, the first one's moment included."""
    loud = [tick for tick in TICKS if abs(tick.change) > 1]
    made = []
    for number, tick in enumerate(loud):
        before = [one for one in loud[:number] if one.ticker == tick.ticker and one.at_ms >= tick.at_ms - 60_000]
        if not before:
            made.append((tick.at_ms, tick.ticker, tick.change, 1))
    return made


def _distinct() -> list[tuple[Any, ...]]:
    return [(end, len(_by_ticker(ticks))) for end, ticks in _steps(TICKS, 60_000)]


def _top() -> list[tuple[Any, ...]]:
    counts = ((end, Counter(tick.ticker for tick in ticks)) for end, ticks in _steps(TICKS, 60_000))
    return [(end, ticker, count) for end, items in counts for ticker, count in items.most_common(10)]


EXPECTED: dict[str, Callable[[], list[tuple[Any, ...]]]] = {
    "continuous-filter": _filtered,
    "simple-alert": _alerts,
    "tumbling-window": _tumbling,
    "multi-step": _multi_step,
    "sliding-time-window": _sliding_time,
    "sliding-row-window": _sliding_rows,
    "throttled-alert": _throttled,
    "approximate-distinct-count": _distinct,
    "approximate-top-k": _top,
}


@pytest.mark.parametrize("name", EXPECTED)
def test_templates_give_what_plain_python_finds(name: str) -> None:
    expected = EXPECTED[name]()
    assert len(expected) > 3
    found = _found(name)
    assert_alike(found, expected)


def test_the_anomaly_is_on_top_of_its_second() -> None:
    """The forest scores once it has its 256 points."""
    ticks = [tick._replace(change=0.01 * (number % 7)) for number, tick in enumerate(TICKS[:300])]
    ticks[280] = ticks[280]._replace(price=9_000.0)
    found = _found("anomaly-detection", ticks, also=())
    assert len(found) == len(ticks)
    end_ms = (ticks[280].at_ms // 1000 + 1) * 1000
    assert next(row[4] for row in found if row[0] == end_ms) == 9_000.0
    assert max(found, key=lambda row: row[5])[4] == 9_000.0
    for second in {row[0] for row in found}:
        scores = [row[5] for row in found if row[0] == second]
        assert scores == sorted(scores, reverse=True)


def test_every_template_is_tested() -> None:
    assert {one.name for one in templates()} == {*EXPECTED, "anomaly-detection"}
