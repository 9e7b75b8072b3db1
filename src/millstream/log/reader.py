"""Reading a log by shard: records from an offset on, and the offset of a time.

    shard, offset ─► Segments: which segment ─► its sparse index: near which block ─► BlockScanner: from there on

A read takes the shard's `next_offset` first and gives nothing at or after it; all that leads to the records before it
was published earlier. It holds no lock while it reads: only `Segments` takes one, to find each segment. A segment that
is dropped meanwhile is read to its end.
"""

from __future__ import annotations

from collections.abc import Iterator

from millstream.log.frame import BlockHeader, PayloadView, open_payload, payload_crc
from millstream.log.port import BlockCipher, LogCorrupt, RecordRun
from millstream.log.segment import BlockScanner
from millstream.log.segments import OpenSegment, Segments


class LogReader:
    """Reads what is published in `segments`, from any number of threads.

    Methods raise LogCorrupt, LogStopped (the log is closed), DiskError, and what the cipher raises.
    """

    def __init__(self, segments: Segments, cipher: BlockCipher, block_bytes: int) -> None:
        self._segments = segments
        self._cipher = cipher
        self._block_bytes = block_bytes

    def read(self, shard: int, offset: int, records_max: int, bytes_max: int) -> list[RecordRun]:
        """See RecordLog.read."""
        state = self._segments.shards.get(shard)
        runs: list[RecordRun] = []
        if state is None:
            return runs
        end = state.next_offset
        while offset < end and records_max > 0 and bytes_max > 0:
            found = self._segments.holding_offset(state, offset, end)
            if found is None:
                break
            segment, offset = found
            for run, size_bytes in self._read_segment(segment, shard, offset, end, records_max, bytes_max):
                if runs and size_bytes > bytes_max:
                    return runs
                runs.append(run)
                offset = run.first_offset + len(run.keys)
                records_max -= len(run.keys)
                bytes_max -= size_bytes
        return runs

    def _read_segment(
        self, segment: OpenSegment, shard: int, offset: int, end: int, records_max: int, bytes_max: int
    ) -> Iterator[tuple[RecordRun, int]]:
        """Runs of one segment from `offset` on within the limits, each with its size in bytes."""
        index = segment.index.shards[shard]
        last = min(end, index.next_offset)
        scanner = self._scanner(segment, bytes_max)
        position = 0
        while True:
            # what other shards have between two blocks is not gone through where an entry of the index leads past it
            position = max(position, index.position_of_offset(offset))
            header = self._block_with(scanner, position, shard, offset)
            if header is None:
                return
            position = header.end
            view = PayloadView(header, self._plain_payload(segment, scanner, header))
            run, size_bytes = view.run(max(0, offset - header.first_offset), records_max, bytes_max)
            yield run, size_bytes
            offset = run.first_offset + len(run.keys)
            records_max -= len(run.keys)
            bytes_max -= size_bytes
            if offset >= last or records_max <= 0 or bytes_max <= 0:
                return
            if offset < header.first_offset + header.record_count:
                return

    def _block_with(self, scanner: BlockScanner, position: int, shard: int, offset: int) -> BlockHeader | None:
        """The block that has the shard's `offset`, at or after `position`."""
        for header in scanner.headers(position):
            if header.shard == shard and header.first_offset + header.record_count > offset:
                return header
        return None

    def find_time(self, shard: int, time_ms: int) -> int:
        """See RecordLog.find_time."""
        state = self._segments.shards.get(shard)
        if state is None:
            return 0
        segment, end = self._segments.holding_time(state, time_ms)
        if segment is None:
            return end
        start = segment.index.shards[shard].position_of_time(time_ms)
        for header in self._scanner(segment, 0).headers(start):
            if header.shard == shard and header.arrival_ms >= time_ms:
                return header.first_offset
        return end

    def _scanner(self, segment: OpenSegment, bytes_max: int) -> BlockScanner:
        index = segment.index
        window_bytes = bytes_max + self._block_bytes // 4
        return BlockScanner(segment.file, segment.path, index.base, index.end, window_bytes=window_bytes)

    def _plain_payload(self, segment: OpenSegment, scanner: BlockScanner, header: BlockHeader) -> bytes:
        stored = scanner.payload(header)
        if payload_crc(stored) != header.payload_crc:
            at = header.position - segment.index.base
            raise LogCorrupt(segment.path, at, "the payload's checksum does not match")
        return open_payload(header, stored, self._cipher)
