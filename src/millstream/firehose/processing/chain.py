"""The processors of a delivery stream, put together."""

from __future__ import annotations

import re
from collections.abc import Sequence

from millstream.firehose.configuration import Configuration, ExtendedS3, Iceberg, Processor
from millstream.firehose.ports import MAIN, Chain, Chunk, Lane, Records, Surroundings
from millstream.firehose.processing.delimiter import parse_delimiter
from millstream.firehose.processing.failures import ProcessingFailure, failure_line
from millstream.firehose.processing.journal import decode_header
from millstream.firehose.processing.partitioning import MISSING_KEYS, Pairs, Partitioner, extraction_failure, key_pairs
from millstream.firehose.processing.splitting import Splitter

_FUNCTION_KEY = re.compile(r"!\{partitionKeyFromLambda:([^}]+)\}")

Lanes = list[tuple[Lane, list[bytes]]]


def build_chain(configuration: Configuration, surroundings: Surroundings, *, after_function: bool = False) -> Chain:
    """The chain that a configuration's processors make.

    `after_function`: it works on a journal's chunks (see `journal`), whose records have been through a function and
    the processors before it. Raises ValueError or QueryError for parameters that the API does not let pass.
    """
    processors = active_processors(configuration)
    finish = _Finish(_partitioner(processors) if _partitions(configuration) else None, _delimiter(processors))
    if after_function:
        return _AfterFunction(finish, _function_keys(configuration))
    splitter = Splitter(processors, from_kinesis=surroundings.source_stream_arn is not None)
    return _ProcessingChain(splitter, finish)


def active_processors(configuration: Configuration) -> Sequence[Processor]:
    """The processors of a configuration; none while processing is disabled."""
    return configuration.processing.processors if configuration.processing.enabled else ()


def _partitions(configuration: Configuration) -> bool:
    """Whether partition keys mean anything: in the prefixes of objects, and to tell Iceberg tables apart."""
    if isinstance(configuration, ExtendedS3):
        return configuration.partitioning.enabled
    return isinstance(configuration, Iceberg)


def _partitioner(processors: Sequence[Processor]) -> Partitioner | None:
    for processor in processors:
        if processor.type == "MetadataExtraction":
            return Partitioner(processor.parameter("MetadataExtractionQuery") or "")
    return None


def _delimiter(processors: Sequence[Processor]) -> bytes:
    for processor in processors:
        if processor.type == "AppendDelimiterToRecord":
            return parse_delimiter(processor.parameter("Delimiter"))
    return b""


def _function_keys(configuration: Configuration) -> frozenset[str] | None:
    """The partition keys that records need from a function, which are those of the prefix; None: what it gives."""
    if not _partitions(configuration):
        return frozenset()
    return frozenset(_FUNCTION_KEY.findall(configuration.prefix)) if isinstance(configuration, ExtendedS3) else None


class _Finish:
    """The processors after a function: partition keys, delimiter."""

    def __init__(self, partitioner: Partitioner | None, delimiter: bytes) -> None:
        self._partitioner = partitioner
        self._delimiter = delimiter

    def apply(self, records: list[bytes], arrival_ms: int, known: Pairs = ()) -> Lanes:
        """Records that have the partition keys `known` already, by lane."""
        if not records:
            return []
        if self._partitioner is None:
            return [(Lane("", known) if known else MAIN, self._delimited(records))]
        lanes, failed = self._partitioner.sort(records, arrival_ms, known)
        finished = [(lane, self._delimited(members)) for lane, members in lanes.items()]
        return finished + _failure_lanes(failed, arrival_ms)

    @property
    def leaves(self) -> bool:
        """Whether records stay as they are, all in one lane."""
        return self._partitioner is None and not self._delimiter

    def _delimited(self, records: list[bytes]) -> list[bytes]:
        delimiter = self._delimiter
        return [record + delimiter for record in records] if delimiter else records


def _failure_lanes(failed: list[tuple[bytes, ProcessingFailure]], arrival_ms: int) -> Lanes:
    lanes: dict[Lane, list[bytes]] = {}
    for record, failure in failed:
        line = failure_line(failure.code, failure.message, record, arrival_ms, 1)
        lanes.setdefault(Lane(failure.kind), []).append(line)
    return list(lanes.items())


class _ProcessingChain:
    def __init__(self, splitter: Splitter, finish: _Finish) -> None:
        self._splitter = splitter
        self._finish = finish

    def process(self, chunk: Chunk) -> Sequence[tuple[Lane, Records]]:
        """See Chain.process."""
        if self._splitter.leaves(chunk):
            if self._finish.leaves:
                return [(MAIN, chunk.records)] if len(chunk.records) else []
            return self._finish.apply(chunk.data, chunk.arrival_ms)
        records: list[bytes] = []
        failed: dict[Lane, list[bytes]] = {}
        for piece in self._splitter.pieces(chunk):
            if piece.failure:
                failed.setdefault(Lane(piece.failure), []).append(piece.data)
            else:
                records.append(piece.data)
        return _merged([*self._finish.apply(records, chunk.arrival_ms), *failed.items()])


class _AfterFunction:
    def __init__(self, finish: _Finish, keys: frozenset[str] | None) -> None:
        self._finish = finish
        self._keys = keys

    def process(self, chunk: Chunk) -> Sequence[tuple[Lane, Records]]:
        """See Chain.process."""
        groups: dict[bytes, list[bytes]] = {}
        for key, record in zip(chunk.keys, chunk.data, strict=True):
            groups.setdefault(key, []).append(record)
        lanes: Lanes = []
        for key, records in groups.items():
            lanes += self._group(key, records)
        return _merged(lanes)

    def _group(self, key: bytes, records: list[bytes]) -> Lanes:
        header = decode_header(key)
        if header.failure:
            return [(Lane(header.failure), records)]
        try:
            return self._finish.apply(records, header.arrival_ms, self._known(header.partition_keys))
        except ProcessingFailure as failure:
            return _failure_lanes([(record, failure) for record in records], header.arrival_ms)

    def _known(self, found: dict[str, str]) -> Pairs:
        if self._keys is None:
            return key_pairs((f"lambda:{name}", text) for name, text in found.items())
        if not all(map(found.get, self._keys)):
            raise extraction_failure(MISSING_KEYS)
        return key_pairs((f"lambda:{name}", found[name]) for name in self._keys)


def _merged(lanes: Lanes) -> Lanes:
    """Each lane once."""
    merged: dict[Lane, list[bytes]] = {}
    for lane, records in lanes:
        if lane in merged:
            merged[lane] = merged[lane] + records
        else:
            merged[lane] = records
    return list(merged.items())
