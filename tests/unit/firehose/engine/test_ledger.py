"""The ledger: what a record that is read (again) is to it, and where a restart would begin."""

from __future__ import annotations

from millstream.firehose.engine.ledger import Ledger, Place
from millstream.firehose.ports import MAIN, Lane
from millstream.firehose.progress import Progress, RecordedParcel

A, B = Lane("", (("query:p", "a"),)), Lane("", (("query:p", "b"),))


def _parcel(name: str, lane: Lane, start: int, end: int) -> RecordedParcel:
    return RecordedParcel(name, lane, f"key/{name}", start, end)


def _read(ledger: Ledger, position: int) -> Ledger:
    ledger.read_position = position
    return ledger


def test_a_restart_begins_at_the_oldest_that_is_not_delivered() -> None:
    ledger = _read(Ledger(Progress(0)), 500)
    assert ledger.progress([]).position == 500
    assert ledger.progress([300, 200]).position == 200
    ledger.record([_parcel("one", A, 100, 400)])
    assert ledger.progress([300, 200]).position == 100


def test_a_settled_parcel_is_not_delivered_again_while_others_hold_the_watermark() -> None:
    ledger = _read(Ledger(Progress(0)), 500)
    ledger.record([_parcel("one", A, 0, 400)])
    ledger.settle(_parcel("one", A, 0, 400))
    again = Ledger(ledger.progress([100]))
    assert again.place(A, 300) is Place.DONE
    assert again.place(A, 400) is Place.OPEN
    assert again.place(B, 300) is Place.OPEN


def test_what_was_recorded_comes_back_as_the_same_parcel() -> None:
    ledger = _read(Ledger(Progress(0)), 500)
    one, two = _parcel("one", A, 0, 200), _parcel("two", A, 200, 400)
    ledger.record([one, two])
    ledger.settle(two)  # out of order
    again = Ledger(ledger.progress([]))
    assert again.place(A, 100) == one
    assert again.place(A, 300) is Place.DONE
    assert again.progress([]).position == 0


def test_what_the_watermark_has_passed_is_forgotten() -> None:
    ledger = _read(Ledger(Progress(0)), 500)
    for lane in (A, B, MAIN):
        parcel = _parcel("p", lane, 0, 400)
        ledger.record([parcel])
        ledger.settle(parcel)
    assert len(ledger.progress([100]).done) == 3
    assert ledger.progress([400]).done == []


def test_a_replaced_parcel_has_the_same_records() -> None:
    ledger = _read(Ledger(Progress(0)), 500)
    one, other = _parcel("one", A, 0, 200), _parcel("other", A, 0, 200)
    ledger.record([one])
    ledger.replace(one, other)
    assert ledger.place(A, 100) == other
    assert ledger.parcels == [other]


def test_counters_add_up_and_survive() -> None:
    ledger = Ledger(Progress(0))
    ledger.count(10, 1_000, 1, 5_000)
    ledger.count(20, 2_000, 0, 6_000)
    ledger.count(0, 0, 4, 7_000)  # a parcel of nothing but failures
    counters = Ledger(ledger.progress([])).counters
    assert (counters.delivered_records, counters.delivered_bytes, counters.failed_records) == (30, 3_000, 5)
    assert (counters.parcels, counters.last_delivered_ms) == (3, 6_000)
