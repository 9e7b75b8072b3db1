"""JOIN of two streams within windows.

The rows of both inputs are taken in one order ($seq, $time, left before right). Each row meets the rows of the other
input that came before it and are in that input's frame now:

    OVER (RANGE t PRECEDING)   those whose $time is >= this row's - t
    OVER (ROWS n PRECEDING)    the last n
    unbounded                  all
    no frame                   those of the same instant ($seq and $time): of the same source row or moment

and gives a row for each that fits, in their order, with its own $time and $seq. A null in an equality fits nothing.

Outer joins (SQL reference, "JOIN clause", examples 3 to 6): a row that met nothing is given when it leaves its own
input's frame, as only then it is certain: with RANGE after all rows of $time + t, with that as its $time; with ROWS
when it is pushed out, with the $time of the row that does so; without a frame at once. With an unbounded frame never.
(The examples' tables also show rows with nulls for orders that were matched; their text says otherwise.)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, cast

import numpy as np
import polars as pl

from millstream.analytics.operators.frames import SEQ, TIME, Cycle, State, Times
from millstream.analytics.operators.instants import instants, merged_order
from millstream.analytics.operators.joinsides import NO_KEY, Side, without_system
from millstream.analytics.operators.keygroups import KeyCodes, dump_keys, group_rows, load_keys
from millstream.analytics.operators.rings import Ints, ragged
from millstream.analytics.operators.stateless import beside, computed
from millstream.analytics.plan.nodes import WindowJoin
from millstream.analytics.scalars.compile import Evaluator
from millstream.analytics.scalars.nodes import Scalar

_PASSES = "$passes"
_PAIRS_AT_ONCE = 250_000
_LEFT, _RIGHT = 0, 1


class _Arrivals(NamedTuple):
    """The cycle's rows of both inputs in one order: which input each is of, its number there, key, $time, $seq and
    instant."""

    side: Ints
    number: Ints
    code: Ints
    times: Times
    seqs: Times
    instants: Times


class _Part(NamedTuple):
    """Rows of the result, and where they belong: after the arrivals before `place` // 2, with those of it if odd."""

    place: Ints
    rows: pl.DataFrame


class WindowJoinOperator:
    """See above."""

    def __init__(self, node: WindowJoin) -> None:
        self._columns = [[c.name for c in one.columns] for one in (node.left, node.right)]
        self._node = node
        self._sides = _sides(node)
        self._keys = KeyCodes()
        self._key_evaluators = [_evaluator([pair[at] for pair in node.equal]) for at in (_LEFT, _RIGHT)]
        self._residual = None if node.residual is None else Evaluator([node.residual], [_PASSES])

    def process(self, inputs: tuple[pl.DataFrame, ...], cycle: Cycle) -> pl.DataFrame:
        """See Operator.process."""
        arrivals = self._arrive(inputs, cycle)
        parts = [part for part in self._pairs(arrivals, cycle) if part.place.size]
        now_ms = max(cycle.until_ms, int(cycle.rowtimes_ms[-1]) if len(cycle.rowtimes_ms) else cycle.until_ms)
        leaving = [side.leaving(now_ms) for side in self._sides]
        parts += self._unmatched(arrivals, leaving, cycle, inputs)
        for side, before in zip(self._sides, leaving, strict=True):
            side.drop_before(before)
        self._sweep()
        return self._assembled(parts, inputs)

    def _arrive(self, inputs: tuple[pl.DataFrame, ...], cycle: Cycle) -> _Arrivals:
        frames: list[pl.DataFrame] = []
        codes: list[Ints] = []
        for given, evaluator in zip(inputs, self._key_evaluators, strict=True):
            frame, keys = given, pl.DataFrame()
            if evaluator is not None and given.height:
                frame, keys = computed(evaluator, given, cycle)
            frames.append(frame)
            codes.append(self._codes(keys, frame.height))
        begins = [side.rows.end for side in self._sides]
        times = [cast(Times, frame.get_column(TIME).to_numpy()) for frame in frames]
        for side, columns, frame, time, code in zip(self._sides, self._columns, frames, times, codes, strict=True):
            side.append(frame[[*columns, TIME]], time, code, len(self._keys))
        moments = [instants(frame) for frame in frames]
        order = merged_order(moments)
        return _Arrivals(
            np.repeat([_LEFT, _RIGHT], [frame.height for frame in frames])[order],
            np.concatenate([begin + np.arange(frame.height) for begin, frame in zip(begins, frames, strict=True)])[
                order
            ],
            np.concatenate(codes)[order],
            np.concatenate(times)[order],
            np.concatenate([frame.get_column(SEQ).to_numpy() for frame in frames])[order],
            np.concatenate(moments)[order],
        )

    def _codes(self, keys: pl.DataFrame, height: int) -> Ints:
        rows = np.arange(height)
        if any(column.null_count() for column in keys.get_columns()):
            known = keys.select(pl.all_horizontal(pl.all().is_not_null())).to_series()
            keys, rows = keys.filter(known), rows[known.to_numpy()]
        groups = group_rows(keys.get_columns(), rows.size)
        codes = np.full(height, NO_KEY)
        codes[rows[groups.order]] = self._keys.assign(groups.keys)[groups.group]
        return codes

    def _pairs(self, arrivals: _Arrivals, cycle: Cycle) -> Iterator[_Part]:
        """What the arrivals meet, some arrivals at a time."""
        low, high = self._met(arrivals)
        ends = np.cumsum(high - low)
        begin = 0
        while begin < ends.size:
            done = int(ends[begin - 1]) if begin else 0
            end = max(begin + 1, int(np.searchsorted(ends, done + _PAIRS_AT_ONCE, side="right")))
            rows = np.arange(begin, end)[high[begin:end] > low[begin:end]]
            if rows.size:
                yield self._fitting(arrivals, rows, low[rows], high[rows], cycle)
            begin = end

    def _met(self, arrivals: _Arrivals) -> tuple[Ints, Ints]:
        """By arrival the ranks, among the other input's rows of its key, of what it meets."""
        low, high = np.zeros_like(arrivals.code), np.zeros_like(arrivals.code)
        for at, other in ((_LEFT, self._sides[_RIGHT]), (_RIGHT, self._sides[_LEFT])):
            own = (arrivals.side == at) & (arrivals.code != NO_KEY)
            theirs = arrivals.side != at
            before = other.rows.end - int(theirs.sum()) + np.cumsum(theirs)[own]
            batch = arrivals.instants[theirs]
            first = other.seen_from(arrivals.times[own], arrivals.instants[own], before, batch)
            low[own] = other.ranks(arrivals.code[own], np.minimum(first, before))
            high[own] = other.ranks(arrivals.code[own], before)
        return low, high

    def _fitting(self, arrivals: _Arrivals, rows: Ints, low: Ints, high: Ints, cycle: Cycle) -> _Part:
        counts = high - low
        arrival, ranks = np.repeat(rows, counts), ragged(low, counts)
        side, own, code = arrivals.side[arrival], arrivals.number[arrival], arrivals.code[arrival]
        pair = [own.copy(), own.copy()]
        for at, other in enumerate(self._sides):
            theirs = side != at
            pair[at][theirs] = other.numbers(code[theirs], ranks[theirs])
        found = _placed(self._joined(*pair), arrivals.times[arrival], arrivals.seqs[arrival])
        if self._residual is not None:
            passes, errors = self._residual.run(found, cycle.moment)
            if errors is not None:
                cycle.errors.add(found, errors)
            fits = passes.to_series().fill_null(value=False)
            found = found.filter(fits)
            kept = fits.to_numpy()
            arrival, pair = arrival[kept], [numbers[kept] for numbers in pair]
        for remembered, numbers in zip(self._sides, pair, strict=True):
            remembered.matched.values()[numbers - remembered.rows.first] = True
        return _Part(2 * arrival + 1, found)

    def _joined(self, left: Ints, right: Ints) -> pl.DataFrame:
        taken = [side.rows.take(numbers) for side, numbers in zip(self._sides, (left, right), strict=True)]
        return _side_by_side(without_system(taken[_LEFT]), without_system(taken[_RIGHT]))

    def _unmatched(
        self, arrivals: _Arrivals, leaving: list[int], cycle: Cycle, inputs: tuple[pl.DataFrame, ...]
    ) -> list[_Part]:
        """The rows that leave without having met another, each in its place; an earlier input's first."""
        found = []
        for at, side in enumerate(self._sides):
            numbers = side.unmatched(leaving[at])
            if numbers.size:
                place, times, seqs = self._departures(at, numbers, arrivals, cycle)
                own = without_system(side.rows.take(numbers))
                nulls = inputs[1 - at].select(self._columns[1 - at]).clear(numbers.size)
                halves = (own, nulls) if at == _LEFT else (nulls, own)
                rows = _placed(_side_by_side(*halves), times, seqs)
                found.append(_Part(place, rows))
        return found

    def _departures(self, at: int, numbers: Ints, arrivals: _Arrivals, cycle: Cycle) -> tuple[Ints, Times, Times]:
        """Where, in terms of arrivals, rows leave their frame; and their $time and $seq then."""
        side = self._sides[at]
        frame = side.frame
        if frame is not None and frame.range_ms is not None:
            times = side.times.values()[numbers - side.rows.first] + frame.range_ms
            return 2 * np.searchsorted(arrivals.times, times, side="right"), times, cycle.seq_at(times + 1)
        own = np.nonzero(arrivals.side == at)[0]
        pushing = numbers + (frame.rows or 0 if frame is not None else 0)
        arrival = own[pushing - (side.rows.end - own.size)]
        places = 2 * arrival
        if frame is None:
            places = 2 * np.searchsorted(arrivals.instants, arrivals.instants[arrival], side="right")
        return places, arrivals.times[arrival], arrivals.seqs[arrival]

    def _assembled(self, parts: list[_Part], inputs: tuple[pl.DataFrame, ...]) -> pl.DataFrame:
        if not parts:
            left = inputs[_LEFT].select(self._columns[_LEFT]).clear()
            right = inputs[_RIGHT].select(*self._columns[_RIGHT], TIME, SEQ).clear()
            return _side_by_side(left, right)
        if len(parts) == 1:
            return parts[0].rows
        rows = pl.concat([part.rows for part in parts])
        order = np.lexsort((instants(rows), np.concatenate([part.place for part in parts])))
        return rows[order]

    def _sweep(self) -> None:
        swept = [side.sweep() for side in self._sides]
        if not any(swept):
            return
        filed = [np.nonzero(side.rings.size)[0] for side in self._sides]
        _, live = self._keys.live()
        self._keys.release(np.setdiff1d(live, np.union1d(*filed)))

    def state(self) -> State:
        """See Operator.state."""
        keys, codes = self._keys.live()
        return {"keys": dump_keys(keys), "codes": codes, "sides": [side.state() for side in self._sides]}

    def restore(self, state: State) -> None:
        """See Operator.restore."""
        keys = load_keys(cast(list[object], state["keys"]))
        self._keys = KeyCodes(keys)
        self._sides = _sides(self._node)
        codes = cast(Ints, state["codes"])
        renumbered = np.full(int(codes.max(initial=-1)) + 2, NO_KEY)
        renumbered[codes] = np.arange(len(keys))
        for side, saved in zip(self._sides, cast(list[State], state["sides"]), strict=True):
            side.restore({**saved, "codes": renumbered[cast(Ints, saved["codes"])]}, len(keys))

    def state_bytes(self) -> int:
        """See Operator.state_bytes."""
        return self._keys.bytes() + sum(side.bytes() for side in self._sides)


def _sides(node: WindowJoin) -> tuple[Side, Side]:
    return (
        Side(node.left_frame, keeps_unmatched=node.kind in ("LEFT", "FULL")),
        Side(node.right_frame, keeps_unmatched=node.kind in ("RIGHT", "FULL")),
    )


def _placed(rows: pl.DataFrame, times: Times, seqs: Times) -> pl.DataFrame:
    return beside(rows, rows.columns, [pl.Series(TIME, times), pl.Series(SEQ, seqs)])


def _side_by_side(left: pl.DataFrame, right: pl.DataFrame) -> pl.DataFrame:
    return beside(left, left.columns, right)


def _evaluator(scalars: list[Scalar]) -> Evaluator | None:
    return Evaluator(scalars, [f"${at}" for at in range(len(scalars))]) if scalars else None
