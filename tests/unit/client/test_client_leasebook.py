"""What a worker concludes from the leases that it sees."""

from __future__ import annotations

import random

from millstream.client.checkpoints import TRIM_HORIZON, Checkpoint
from millstream.client.leasebook import LeaseBook
from millstream.client.leases import Lease

LEASE_S = 9.0


def book_of(worker: str = "me") -> LeaseBook:
    return LeaseBook(worker, LEASE_S, random.Random(1))


def lease(number: int, owner: str | None = "other", counter: int = 1) -> Lease:
    return Lease(f"shard-{number}", TRIM_HORIZON, owner, counter)


def taken(book: LeaseBook, now_s: float) -> list[str]:
    return [change.shard_id for change in book.plan(now_s)]


def look(book: LeaseBook, leases: list[Lease], times_s: list[float]) -> None:
    for now_s in times_s:
        book.observe(leases, now_s)


def test_a_lease_that_nobody_renews_is_taken_when_it_has_expired() -> None:
    book = book_of()
    look(book, [lease(1)], [0.0, 3.0, 6.0, 9.0])
    assert taken(book, 9.0) == []
    look(book, [lease(1)], [12.0])
    assert taken(book, 12.0) == ["shard-1"]


def test_after_an_outage_expiry_is_not_concluded_from_time_in_which_nobody_looked() -> None:
    book = book_of()
    look(book, [lease(1)], [0.0, 3.0, 1000.0])
    assert taken(book, 1000.0) == []
    look(book, [lease(1, counter=2)], [1003.0])
    assert taken(book, 1003.0) == []


def test_who_is_often_too_busy_to_look_still_finds_the_dead_in_the_end() -> None:
    book = book_of()
    look(book, [lease(1)], [float(at) for at in range(0, 60, 6)])
    assert taken(book, 54.0) == ["shard-1"]


def test_an_old_batch_does_not_take_a_checkpoint_back() -> None:
    book = book_of()
    (change,) = (book.observe([lease(1, None)], 0.0), book.plan(0.0))[1]
    book.settle(change, True, 0.0)
    book.progress("shard-1", Checkpoint("20"))
    book.progress("shard-1", Checkpoint("10", 5))
    book.progress("shard-1", TRIM_HORIZON)
    assert book.checkpoint("shard-1") == Checkpoint("20")
    assert [change.checkpoint for change in book.plan(0.0)] == [Checkpoint("20")]


def test_a_newcomer_gets_its_share_of_many_soon() -> None:
    book, leases = book_of(), [lease(number) for number in range(1000)]
    turns = 0
    while len(book.held) < 499:
        book.observe(leases, 3.0 * turns)
        changes = [change._replace(counter=2) for change in book.plan(3.0 * turns) if change.shard_id not in book.held]
        for change in changes:
            book.settle(change, True, 3.0 * turns)
        now = {change.shard_id: change for change in changes}
        leases = [now.get(each.shard_id, each)._replace(counter=turns) for each in leases]
        turns += 1
    assert turns < 20


def test_a_stream_that_is_made_again_has_leases_of_its_own() -> None:
    book = book_of()
    book.observe([lease(1, None)], 0.0)
    book.settle(book.plan(0.0)[0], True, 0.0)
    book.progress("shard-1", Checkpoint("20"))
    assert book.observe([], 1.0) == ["shard-1"]
    book.observe([lease(1, None, 0)], 2.0)
    assert [change.checkpoint for change in book.plan(2.0)] == [TRIM_HORIZON]
