from __future__ import annotations

import base64
import json

import pytest

from benchmarks.deliveries import DELIVERIES
from benchmarks.events import COLUMNS, events
from benchmarks.figures import DELIVERY_METRICS
from benchmarks.rendering import render_batches


@pytest.mark.parametrize("size_bytes", [200, 1024])
def test_events_are_json_lines_of_the_size_asked_for_in_groups(size_bytes: int) -> None:
    made = events(6, size_bytes, groups=3)
    assert {len(event) for event in made} == {size_bytes}
    assert all(event.endswith(b"}\n") for event in made)
    assert [json.loads(event)["group"] for event in made] == ["g0", "g1", "g2"] * 2


def test_the_table_has_the_columns_of_the_events() -> None:
    (event,) = events(1, 1024)
    assert {name for name, _ in COLUMNS} == json.loads(event).keys() - {"group"}


def test_batches_hold_500_events_each_in_their_order() -> None:
    made = events(1200, 200)
    bodies = [json.loads(request.partition(b"\r\n\r\n")[2]) for request in render_batches("a", made)]
    assert {body["DeliveryStreamName"] for body in bodies} == {"a"}
    assert [base64.b64decode(record["Data"]) for body in bodies for record in body["Records"]] == made[:1000]


def test_every_delivery_is_told_of() -> None:
    assert [delivery.key for delivery in DELIVERIES] == [metric.key for metric in DELIVERY_METRICS]
