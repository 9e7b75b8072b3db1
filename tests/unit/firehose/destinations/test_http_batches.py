"""Parcels cut into requests."""

from __future__ import annotations

import pytest

from millstream.firehose.destinations.batches import batches
from support.destinations import GivenParcel


@pytest.mark.parametrize("list_records", [1, 2, 3, 100])
def test_batches_depend_on_the_records_alone(list_records: int) -> None:
    parcel = GivenParcel([b"aaaa", b"bb", b"", b"cccc", b"d" * 50, b"e"], list_records=list_records)
    cut = list(batches(parcel, bytes_max=6, count_max=10))
    assert [batch.records for batch in cut] == [[b"aaaa", b"bb", b""], [b"cccc"], [b"d" * 50], [b"e"]]
    assert [batch.first_ordinal for batch in cut] == [0, 3, 4, 5]
    assert [batch.size_bytes for batch in cut] == [6, 4, 50, 1]


def test_a_batch_has_a_number_of_records_at_most() -> None:
    assert [len(batch.records) for batch in batches(GivenParcel([b""] * 7), bytes_max=6, count_max=3)] == [3, 3, 1]


def test_no_records_make_no_batch() -> None:
    assert not list(batches(GivenParcel([]), bytes_max=6, count_max=3))
