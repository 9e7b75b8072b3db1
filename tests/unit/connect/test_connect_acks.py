"""Every delivery is acknowledged once, none before it is settled, and few frames do it."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from millstream.connect.rabbitmq.acks import Deliveries


def test_what_is_settled_in_order_goes_in_one_frame() -> None:
    deliveries = Deliveries()
    assert deliveries.settle(range(1, 501)) == 500
    assert deliveries.settle(range(1001, 1501)) is None
    assert deliveries.settle(range(501, 1001)) == 1500
    assert deliveries.overdue() == []


def test_what_waits_for_long_goes_one_by_one() -> None:
    deliveries = Deliveries()
    deliveries.settle([2, 4])
    assert deliveries.overdue() == []
    deliveries.settle([5])
    assert deliveries.overdue() == [2, 4]
    assert deliveries.overdue() == [5]
    assert deliveries.settle([1]) == 1
    assert deliveries.settle([3]) == 3
    assert deliveries.settle([6]) == 6


def test_a_message_in_pieces_is_settled_with_its_last() -> None:
    deliveries = Deliveries()
    deliveries.expect(1, 3)
    assert deliveries.settle([1, 1]) is None
    assert deliveries.settle([2]) is None
    assert deliveries.settle([1]) == 2


def test_a_rejected_message_is_not_acknowledged() -> None:
    deliveries = Deliveries()
    assert deliveries.answered(1) is None
    assert deliveries.answered(3) is None
    assert deliveries.settle([2]) == 2
    assert deliveries.settle([4]) == 4


@given(st.randoms(use_true_random=False), st.integers(1, 60))
def test_any_order(chance: random.Random, count: int) -> None:
    deliveries = Deliveries()
    unsettled = list(range(1, count + 1))
    chance.shuffle(unsettled)
    settled: set[int] = set()
    answered: set[int] = set()  # as the broker sees it
    while unsettled or answered != settled:
        move = chance.random()
        if unsettled and move < 0.6:
            some = [unsettled.pop() for _ in range(min(len(unsettled), chance.randint(1, 5)))]
            settled |= set(some)
            up_to = deliveries.settle(some)
        elif unsettled and move < 0.7:
            tag = unsettled.pop()
            settled.add(tag)
            answered.add(tag)
            up_to = deliveries.answered(tag)
        else:
            up_to = None
            for tag in deliveries.overdue():
                assert tag not in answered
                answered.add(tag)
        if up_to is not None:
            assert up_to not in answered, "nothing new to acknowledge: a broker closes the channel for that"
            answered |= set(range(1, up_to + 1))
        assert answered <= settled
