"""The whole chain of processors."""

from __future__ import annotations

import gzip
import json
from array import array

import pytest

from millstream.firehose.configuration import Configuration, parse
from millstream.firehose.model import Destination
from millstream.firehose.ports import MAIN, Chain, Chunk, Lane
from millstream.firehose.processing.chain import build_chain
from millstream.firehose.processing.journal import encode_header
from millstream.log import Packed
from support.configurations import processor
from support.processing import ARRIVAL_MS, aggregated, chunk, surroundings, to_s3

BY_SECTOR = processor("MetadataExtraction", MetadataExtractionQuery="{sector: .s}", JsonParsingEngine="JQ-1.6")
ENERGY = Lane("", (("query:sector", "ENERGY"),))


def _lanes(chain: Chain, given: Chunk) -> dict[Lane, list[bytes]]:
    """What becomes of a chunk by lane, each of which comes once."""
    found = chain.process(given)
    assert len({lane for lane, _ in found}) == len(found)
    return {lane: records.cut() if isinstance(records, Packed) else records for lane, records in found}


def _packed(*records: bytes) -> Chunk:
    """A chunk as it is read from a log."""
    keys = Packed(b"k" * len(records), 0, array("H", [1] * len(records)))
    data = Packed(b"".join(records), 0, array("I", map(len, records)))
    return Chunk(0, 1000, 0, 7, ARRIVAL_MS, keys, data)


def test_records_that_nobody_looks_at_are_not_cut_apart() -> None:
    given = _packed(b"a", b"bc")
    for chain in (build_chain(to_s3(), surroundings()), build_chain(to_s3(), surroundings(kinesis=True))):
        ((lane, records),) = chain.process(given)
        assert lane == MAIN
        assert records is given.records
    assert "data" not in vars(given)


def test_aggregated_records_are_found_among_others() -> None:
    chain = build_chain(to_s3(), surroundings(kinesis=True))
    packed = aggregated(("k", b"one"), ("k", b"two"))
    assert _lanes(chain, _packed(b"first", packed, b"last")) == {MAIN: [b"first", b"one", b"two", b"last"]}
    inside = b"x" + packed  # the mark, but not at the beginning of a record
    assert _lanes(chain, _packed(b"first", inside)) == {MAIN: [b"first", inside]}


def test_without_processors_nothing_is_touched() -> None:
    given = chunk(b"a", b"b")
    for chain in (build_chain(to_s3(), surroundings()), build_chain(to_s3(), surroundings(kinesis=True))):
        ((lane, records),) = chain.process(given)
        assert lane == MAIN
        assert records is given.data
        assert chain.process(chunk()) == []


def test_disabled_processing_does_nothing() -> None:
    configuration = to_s3(
        ProcessingConfiguration={"Enabled": False, "Processors": [processor("AppendDelimiterToRecord")]}
    )
    assert build_chain(configuration, surroundings()).process(chunk(b"a")) == [(MAIN, [b"a"])]


@pytest.mark.parametrize(
    ("parameters", "end"),
    [({}, b"\n"), ({"Delimiter": "\\n"}, b"\n"), ({"Delimiter": "\n"}, b"\n"), ({"Delimiter": "|"}, b"|")],
)
def test_a_delimiter_follows_every_record(parameters: dict[str, str], end: bytes) -> None:
    chain = build_chain(to_s3(processor("AppendDelimiterToRecord", **parameters)), surroundings())
    assert chain.process(chunk(b"a", b"b")) == [(MAIN, [b"a" + end, b"b" + end])]


def test_records_are_sorted_by_partition_and_failures_told() -> None:
    chain = build_chain(to_s3(BY_SECTOR, processor("AppendDelimiterToRecord"), partitioning=True), surroundings())
    lanes = _lanes(chain, chunk(b'{"s":"ENERGY"}', b"what", b'{"s":"ENERGY","n":2}'))
    assert lanes[ENERGY] == [b'{"s":"ENERGY"}\n', b'{"s":"ENERGY","n":2}\n']
    (line,) = lanes[Lane("metadata-extraction-failed")]
    told = json.loads(line)
    assert told["errorCode"] == "DynamicPartitioning.MetadataExtractionFailed"
    assert told["errorMessage"] == "Non JSON record provided"
    assert told["rawData"] == "d2hhdA=="
    assert told["arrivalTimestamp"] == told["attemptEndingTimestamp"] == ARRIVAL_MS
    assert len(lanes) == 2


def test_a_chunk_gives_the_same_lines_every_time() -> None:
    configuration = to_s3(BY_SECTOR, processor("Decompression"), partitioning=True)
    given = chunk(b"x", gzip.compress(b"{}"), gzip.compress(b'{"s":1}'))
    first, again = (build_chain(configuration, surroundings()).process(given) for _ in range(2))
    assert first == again
    assert {lane.failure for lane, _ in first} == {"", "decompression-failed", "metadata-extraction-failed"}


def test_aggregated_records_of_a_stream_are_partitioned_one_by_one() -> None:
    chain = build_chain(to_s3(BY_SECTOR, partitioning=True), surroundings(kinesis=True))
    packed = aggregated(("k", b'{"s":"ENERGY"}'), ("k", b'{"s":"TECH"}'))
    assert {lane.partition[0][1]: records for lane, records in chain.process(chunk(packed))} == {
        "ENERGY": [b'{"s":"ENERGY"}'],
        "TECH": [b'{"s":"TECH"}'],
    }


def _after(configuration: Configuration, *records: tuple[bytes, bytes]) -> dict[Lane, list[bytes]]:
    chain = build_chain(configuration, surroundings(), after_function=True)
    return _lanes(chain, chunk(*[data for _, data in records], keys=[key for key, _ in records]))


def test_after_a_function_failures_and_records_go_to_their_lanes() -> None:
    lanes = _after(
        to_s3(processor("AppendDelimiterToRecord"), processor("Decompression")),
        (encode_header(1), b"a"),
        (encode_header(2, "processing-failed"), b"{}\n"),
        (encode_header(2), b"b"),
    )
    assert lanes == {MAIN: [b"a\n", b"b\n"], Lane("processing-failed"): [b"{}\n"]}


def test_partition_keys_of_a_function_are_those_that_the_prefix_names() -> None:
    prefix = "!{partitionKeyFromLambda:customer}/!{partitionKeyFromQuery:sector}/"
    lanes = _after(
        to_s3(BY_SECTOR, partitioning=True, Prefix=prefix),
        (encode_header(1, "", {"customer": "7", "more": "x"}), b'{"s":"ENERGY"}'),
        (encode_header(5, "", {"more": "x"}), b'{"s":"ENERGY"}'),
    )
    assert lanes.pop(Lane("", (("lambda:customer", "7"), ("query:sector", "ENERGY")))) == [b'{"s":"ENERGY"}']
    ((lane, (line,)),) = lanes.items()
    assert lane.failure == "metadata-extraction-failed"
    assert json.loads(line)["arrivalTimestamp"] == 5


def test_without_dynamic_partitioning_a_functions_keys_mean_nothing() -> None:
    assert _after(to_s3(), (encode_header(1, "", {"customer": "7"}), b"a")) == {MAIN: [b"a"]}


def test_iceberg_takes_all_keys_of_a_function() -> None:
    described = {"S3DestinationDescription": {"BucketARN": "arn:aws:s3:::lake"}}
    configuration = parse(Destination(kind="Iceberg", configuration=described), lambda sealed: sealed)
    lane = Lane("", (("lambda:destinationTableName", "t"), ("lambda:operation", "insert")))
    header = encode_header(1, "", {"operation": "insert", "destinationTableName": "t"})
    assert _after(configuration, (header, b"{}")) == {lane: [b"{}"]}
