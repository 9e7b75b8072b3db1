"""Dynamic partitioning: partition keys out of records, and records by partition.

MetadataExtraction is a jq query that makes an object of a record; each of its members is a partition key. Queries that
only pick fields are run natively, others by jq (see `paths`); both give the same keys. As in AWS's service, a key that
is missing, null or "" fails the record. Numbers are keys as jq 1.6 prints them (see `keytext`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from millstream.firehose.ports import Lane
from millstream.firehose.prefixes import EVALUATED_CHARACTERS_MAX
from millstream.firehose.processing.failures import METADATA_EXTRACTION_FAILED, ProcessingFailure
from millstream.firehose.processing.fields import Picker, Scalar, Unclear, Values, picker
from millstream.firehose.processing.jqprocess import JqProcess
from millstream.firehose.processing.jqquery import JqQuery, QueryError
from millstream.firehose.processing.keytext import key_text
from millstream.firehose.processing.paths import simple_paths

Pairs = tuple[tuple[str, str], ...]
Found = dict[str, Any] | QueryError
Picked = Values | Scalar
"""The values of all keys as they are in a record, an only one perhaps by itself; _UNCLEAR if jq has to find them."""

_UNCLEAR: Picked = ()
_LANES_MAX = 4096  # remembered, while their keys are no longer than such keys are
_CHARACTERS_MAX = 256

MISSING_KEYS = "partitionKeys values must not be null or empty"


def extraction_failure(message: str) -> ProcessingFailure:
    """The failure of a record whose partition keys cannot be had."""
    return ProcessingFailure(METADATA_EXTRACTION_FAILED, "DynamicPartitioning.MetadataExtractionFailed", message)


class Partitioner:
    """Sorts records by the partition keys that `query` finds in them. Raises QueryError for a wrong query."""

    def __init__(self, query: str) -> None:
        paths = simple_paths(query)
        self._names = [f"query:{name}" for name in paths or ()]
        self._picker = picker(list(paths.values())) if paths else None
        self._jq = JqQuery(query) if paths else None  # judges what does not fit `picker`
        self._process = None if paths else JqProcess(query)
        self._lanes: dict[tuple[Pairs, Picked], Lane] = {}

    def sort(
        self, records: Sequence[bytes], arrival_ms: int, known: Pairs = ()
    ) -> tuple[dict[Lane, list[bytes]], list[tuple[bytes, ProcessingFailure]]]:
        """Records by lane, each in order, and those that have no keys. `known` are keys that all records have."""
        lanes: dict[Lane, list[bytes]] = {}
        failed: list[tuple[bytes, ProcessingFailure]] = []
        members: dict[Picked, list[bytes]] = {}  # of lanes, by values that are strings: most are, and repeat
        found = iter(self._process.run_all(records, arrival_ms / 1000)) if self._process else None
        for record, picked in zip(records, self._pick(records), strict=True):
            if (bucket := members.get(picked)) is not None:
                bucket.append(record)
                continue
            try:
                if picked == _UNCLEAR:
                    lane = _lane(known, _pairs_found(next(found) if found else self._judged(record, arrival_ms)))
                else:
                    lane = self._lane_of(picked, known)
            except ProcessingFailure as failure:
                failed.append((record, failure))
                continue
            bucket = lanes.setdefault(lane, [])
            bucket.append(record)
            if _are_strings(picked):
                members[picked] = bucket
        return lanes, failed

    def _pick(self, records: Sequence[bytes]) -> Sequence[Picked]:
        """The values of all keys in each record; _UNCLEAR where jq has to find them."""
        picker = self._picker
        if picker is None:
            return [_UNCLEAR] * len(records)
        return picker.pick_each(records) or [_picked(picker, record) for record in records]

    def _lane_of(self, picked: Picked, known: Pairs) -> Lane:
        lane = self._lanes.get((known, picked)) if _are_strings(picked) else None
        if lane is None:
            values = picked if isinstance(picked, tuple) else (picked,)
            lane = _lane(known, [(name, _text(value)) for name, value in zip(self._names, values, strict=True)])
            if _are_strings(picked) and sum(map(len, values)) <= _CHARACTERS_MAX:  # type: ignore[arg-type]
                if len(self._lanes) >= _LANES_MAX:
                    self._lanes.clear()
                self._lanes[known, picked] = lane
        return lane

    def _judged(self, record: bytes, arrival_ms: int) -> Found:
        assert self._jq is not None
        try:
            return self._jq.run(record, arrival_ms / 1000)
        except QueryError as error:
            return error


def _picked(picker: Picker, record: bytes) -> Picked:
    try:
        return picker.pick(record)
    except Unclear:
        return _UNCLEAR


def _are_strings(picked: Picked) -> bool:
    """Whether equal values make equal keys: 1, 1.0 and True are equal, but as keys they are not."""
    if isinstance(picked, tuple):
        return picked != _UNCLEAR and all(type(value) is str for value in picked)
    return type(picked) is str


def key_pairs(pairs: Iterable[tuple[str, str]]) -> Pairs:
    """Partition keys with their values, as a lane has them. Raises ProcessingFailure for what no object's key can have.

    Source: developer guide: a prefix has at most 512 characters once it is evaluated, and records for which it cannot
    be evaluated are error output.
    """
    ordered = tuple(sorted(pairs))
    if sum(len(value) for _, value in ordered) > EVALUATED_CHARACTERS_MAX:
        raise extraction_failure(f"partitionKeys values must not have more than {EVALUATED_CHARACTERS_MAX} characters")
    return ordered


def _lane(known: Pairs, pairs: list[tuple[str, str]]) -> Lane:
    return Lane("", key_pairs((*known, *pairs)))


def _pairs_found(found: Found) -> list[tuple[str, str]]:
    if isinstance(found, QueryError):
        raise extraction_failure(str(found)) from found
    if not found:
        raise extraction_failure(MISSING_KEYS)
    return [(f"query:{name}", _text(value)) for name, value in found.items()]


def _text(value: Any) -> str:
    try:
        text = key_text(value)
    except ValueError as error:
        raise extraction_failure(str(error)) from error
    if not text:
        raise extraction_failure(MISSING_KEYS)
    return text
