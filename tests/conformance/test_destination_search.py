"""Delivery to a real node of OpenSearch."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from millstream.firehose.destinations.search import SearchDestination
from millstream.firehose.ports import Report
from support.destinations import Bench, GivenParcel, configured, error_lines
from support.searchnode import SearchNode

PARCEL_ID = "0b7d1a52-2f5e-4c0e-9f1d-6a7c1f0e2d31"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Surroundings."""
    yield from Bench.set_up(monkeypatch)


@pytest.fixture
async def make(node: SearchNode, bench: Bench) -> AsyncIterator[Callable[..., SearchDestination]]:
    """Makes a destination at the node, from members of the API's description."""
    made: list[SearchDestination] = []

    def make(index: str, **members: Any) -> SearchDestination:
        configuration = configured(
            "Amazonopensearchservice", ClusterEndpoint=node.url + "/", IndexName=index, **members
        )
        made.append(SearchDestination(configuration, bench.surroundings))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for destination in made:
        await destination.close()


async def _deliver(destination: SearchDestination, records: list[bytes]) -> Report:
    parcel = GivenParcel(records)
    parcel.key = destination.plan(parcel)
    return await destination.deliver(parcel)


async def test_documents_are_in_the_index_of_their_day(
    node: SearchNode, make: Callable[..., SearchDestination], bench: Bench
) -> None:
    records = [b'{"n": %d,\n "town": "\xc3\x85rhus"}\n' % n for n in range(2500)]
    report = await _deliver(make("daily"), records)
    assert report == Report(2500, sum(map(len, records)), [])
    documents = node.documents("daily-2026-11-23")
    assert documents == {f"{PARCEL_ID}.{n}": {"n": n, "town": "Århus"} for n in range(2500)}
    assert not bench.told.errors


async def test_a_parcel_delivered_twice_is_there_once(node: SearchNode, make: Callable[..., SearchDestination]) -> None:
    for _ in range(2):
        assert (await _deliver(make("twice", IndexRotationPeriod="NoRotation"), [b'{"a":1}', b'{"a":2}'])).errors == []
    assert len(node.documents("twice")) == 2


async def test_without_ids_the_cluster_gives_them(node: SearchNode, make: Callable[..., SearchDestination]) -> None:
    destination = make(
        "ids", IndexRotationPeriod="OneMonth", DocumentIdOptions={"DefaultDocumentIdFormat": "NO_DOCUMENT_ID"}
    )
    await _deliver(destination, [b'{"a":1}'])
    (document_id,) = node.documents("ids-2026-11")
    assert not document_id.startswith(PARCEL_ID)


async def test_only_what_does_not_fit_is_error_output(
    node: SearchNode, make: Callable[..., SearchDestination], bench: Bench
) -> None:
    records = [b'{"price":1.5}', b'{"price":"cheap"}', b"not json", b'{"price":2}', b'{"price":"\xff"}']
    destination = make("prices", IndexRotationPeriod="NoRotation", RetryOptions={"DurationInSeconds": 300})
    report = await _deliver(destination, records)
    assert report.delivered_records == 2
    assert {document["price"] for document in node.documents("prices").values()} == {1.5, 2}
    assert report.errors[0].kind == "AmazonOpenSearchService-failed"
    lines = {line["esDocumentId"]: line for line in error_lines(report)}
    assert sorted(lines) == [f"{PARCEL_ID}.{ordinal}" for ordinal in (1, 2, 4)]
    unmapped = lines[f"{PARCEL_ID}.1"]
    assert json.loads(unmapped["errorMessage"])["type"] == "mapper_parsing_exception"
    assert (unmapped["errorCode"], unmapped["attemptsMade"], unmapped["esIndexName"]) == ("400", 1, "prices")
    assert lines[f"{PARCEL_ID}.2"]["attemptsMade"] == 0
    assert not bench.clock.pauses_s  # none of it would ever succeed


async def test_a_blocked_index_is_tried_again_until_someone_frees_it(
    node: SearchNode, make: Callable[..., SearchDestination], bench: Bench
) -> None:
    destination = make("full", IndexRotationPeriod="NoRotation", RetryOptions={"DurationInSeconds": 300})
    await _deliver(destination, [b'{"a":0}'])
    node.call("PUT", "/full/_settings", {"index.blocks.read_only_allow_delete": True})  # as on a disk that is full

    def free() -> None:
        if len(bench.clock.pauses_s) == 3:
            node.call("PUT", "/full/_settings", {"index.blocks.read_only_allow_delete": None})

    bench.clock.on_pause = free
    report = await _deliver(destination, [b'{"a":1}', b'{"a":2}'])
    assert report.errors == []
    assert report.delivered_records == 2
    assert len(bench.clock.pauses_s) == 3
    assert len(node.documents("full")) == 2


@pytest.mark.parametrize(
    ("index", "members", "code", "words"),
    [
        ("Capital", {}, "400", "must be lowercase"),
        ("typed", {"TypeName": "tick"}, "400", "unknown parameter [_type]"),
    ],
)
async def test_a_configuration_that_the_cluster_refuses_leads_to_error_output(
    make: Callable[..., SearchDestination], index: str, members: dict[str, str], code: str, words: str
) -> None:
    report = await _deliver(make(index, **members), [b'{"a":1}'])
    (line,) = error_lines(report)
    assert line["errorCode"] == code
    assert words in line["errorMessage"]
    assert line["esTypeName"] == members.get("TypeName", "")
    assert line["rawData"] == "eyJhIjoxfQ=="
