"""Partition keys: native extraction and jq agree on any JSON; processors take any bytes."""

from __future__ import annotations

import json
from functools import cache
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from millstream.firehose.processing import partitioning
from millstream.firehose.processing.chain import build_chain
from millstream.firehose.processing.deaggregation import json_objects
from millstream.firehose.processing.jqquery import JqQuery, QueryError
from millstream.firehose.processing.partitioning import Partitioner
from millstream.firehose.processing.paths import Path, simple_paths
from millstream.wire.aggregation import MAGIC, unpack
from support.configurations import processor
from support.processing import ARRIVAL_MS, aggregated, chunk, surroundings, to_s3

NAMES = st.sampled_from(["a", "b", "c d", "\u00fc"])
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-(10**40), 10**40), st.floats(allow_nan=False, width=64), TEXT
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)
RECORDS = st.dictionaries(NAMES, VALUES, max_size=4) | VALUES
PATHS = st.lists(st.one_of(NAMES, NAMES, st.integers(0, 2)), min_size=1, max_size=3).map(tuple)
QUERIES = st.dictionaries(st.sampled_from(["x", "y", "z"]), PATHS, min_size=1)


compiled = cache(JqQuery)  # jq compiles for longer than it runs


class InThisProcess:
    """Jq as JqProcess runs it, without the cost of a process for each example."""

    def __init__(self, query: str) -> None:
        self._query = compiled(query)

    def run_all(self, records: list[bytes], now_s: float) -> list[dict[str, Any] | QueryError]:
        return [self._run(record, now_s) for record in records]

    def _run(self, record: bytes, now_s: float) -> dict[str, Any] | QueryError:
        try:
            return self._query.run(record, now_s)
        except QueryError as error:
            return error


def _written(path: Path) -> str:
    return "." + "".join(f"[{json.dumps(step, ensure_ascii=False)}]" for step in path)


def _outcome(partitioner: Partitioner, record: bytes) -> object:
    lanes, failed = partitioner.sort([record], ARRIVAL_MS)
    return [failure.message for _, failure in failed] or list(lanes)


@given(QUERIES, st.lists(RECORDS, min_size=1, max_size=6))
def test_records_are_sorted_together_as_each_by_itself(query: dict[str, Path], documents: list[Any]) -> None:
    text = "{" + ", ".join(f"{name}: {_written(path)}" for name, path in query.items()) + "}"
    records = [json.dumps(document).encode() for document in documents]
    with patch.object(partitioning, "JqQuery", compiled):
        partitioner = Partitioner(text)
        alone = [(record, _outcome(Partitioner(text), record)) for record in records]
    for _ in range(2):  # also with what it remembers
        lanes, failed = partitioner.sort(records, ARRIVAL_MS)
        found: list[tuple[bytes, object]] = [(record, [lane]) for lane, members in lanes.items() for record in members]
        found += [(record, [failure.message]) for record, failure in failed]
        assert sorted(found, key=repr) == sorted(alone, key=repr)


@given(QUERIES, st.lists(RECORDS, min_size=1, max_size=3), st.booleans())
def test_native_and_jq_agree(query: dict[str, Path], records: list[Any], ascii_only: bool) -> None:
    simple = "{" + ", ".join(f"{key}: {_written(path)}" for key, path in query.items()) + "}"
    complex_one = "{" + ", ".join(f"{key}: ({_written(path)})" for key, path in query.items()) + "}"
    assert simple_paths(simple) == query
    assert simple_paths(complex_one) is None
    with patch.object(partitioning, "JqProcess", InThisProcess):
        native, by_jq = Partitioner(simple), Partitioner(complex_one)
    for record in records:
        encoded = json.dumps(record, ensure_ascii=ascii_only).encode()
        assert _outcome(native, encoded) == _outcome(by_jq, encoded)


@given(st.lists(st.binary(max_size=40) | VALUES.map(lambda value: json.dumps(value).encode()), max_size=5))
def test_a_chain_takes_any_bytes_and_loses_none(records: list[bytes]) -> None:
    by_a = processor("MetadataExtraction", MetadataExtractionQuery="{a: .a}")
    for extra in (
        [],
        [processor("Decompression")],
        [processor("CloudWatchLogProcessing", DataMessageExtraction="true")],
    ):
        chain = build_chain(to_s3(by_a, *extra, partitioning=True), surroundings(kinesis=True))
        assert sum(len(members) for _, members in chain.process(chunk(*records))) == len(records)


@given(st.lists(st.dictionaries(NAMES, VALUES, max_size=3), min_size=1, max_size=5), st.text(" \t\r\n", max_size=3))
def test_json_objects_come_apart_as_they_were(objects: list[dict[str, Any]], space: str) -> None:
    parts = [json.dumps(one).encode() for one in objects]
    assert json_objects(space.encode().join(parts) + space.encode()) == parts


@given(st.binary(max_size=60))
def test_de_aggregation_of_json_keeps_all_that_matters(record: bytes) -> None:
    parts = json_objects(record)
    assert parts == [record] or b"".join(b"".join(parts).split()) == b"".join(record.split())


@given(st.lists(st.tuples(TEXT, st.binary(max_size=300)), min_size=1, max_size=200))
def test_aggregated_records_come_apart_as_they_were(records: list[tuple[str, bytes]]) -> None:
    parts = unpack(aggregated(*records))
    assert parts is not None
    assert [(part.key.decode(), part.data) for part in parts] == records


@given(st.binary(max_size=80), st.lists(st.tuples(TEXT, st.binary(max_size=20)), min_size=1, max_size=3), st.data())
def test_what_is_not_aggregated_is_not_taken_for_it(noise: bytes, records: list[tuple[str, bytes]], data: Any) -> None:
    assert unpack(noise) is None
    assert unpack(MAGIC + noise) is None
    whole = bytearray(aggregated(*records))
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    whole[bit // 8] ^= 1 << bit % 8
    assert unpack(bytes(whole)) is None
