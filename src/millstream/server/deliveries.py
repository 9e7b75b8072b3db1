"""What Firehose needs of the rest of the server: files for delivery streams, data streams as their sources."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from millstream.base.clock import Clock
from millstream.disk import Disk
from millstream.firehose.model import KinesisSource
from millstream.firehose.registry import FoundSource
from millstream.log import BlockCipher, EmbeddedLog, RecordLog
from millstream.streams import StreamsService
from millstream.wire.faults import Fault, InvalidArgumentException, ResourceNotFoundException

DELIVERIES = "firehose"
"""The directory with one directory for each delivery stream."""


def log_directory(stream_id: str) -> str:
    """Where the log is that records are put into directly."""
    return f"{DELIVERIES}/{stream_id}/log"


class DeliveryFiles:
    """The files of delivery streams on the server's disk; see firehose.registry.Files."""

    def __init__(self, disk: Disk, commits: ThreadPoolExecutor, clock: Clock) -> None:
        self._disk = disk
        self._commits = commits
        self._clock = clock

    def open_log(self, stream_id: str, cipher: BlockCipher) -> RecordLog:
        """Open, or make, the delivery stream's log."""
        directory = log_directory(stream_id)
        return EmbeddedLog.open(self._disk, directory, executor=self._commits, clock=self._clock, cipher=cipher)

    def delete(self, stream_id: str) -> None:
        """Delete the delivery stream's directory."""
        self._disk.remove_tree(f"{DELIVERIES}/{stream_id}")

    def stream_ids(self) -> list[str]:
        """The ids of which there is a directory."""
        return self._disk.list(DELIVERIES)


class StreamSources:
    """The server's data streams as sources; see firehose.registry.Sources."""

    def __init__(self, streams: StreamsService) -> None:
        self._streams = streams

    def find(self, account: str, region: str, stream_arn: str) -> FoundSource:
        """The data stream of that ARN. Raises InvalidArgumentException, AccessDeniedException."""
        try:
            handle = self._streams.registry.find_by(account, region, arn=stream_arn)
        except ResourceNotFoundException as fault:
            raise InvalidArgumentException(fault.message) from None
        stream = handle.stream
        if not handle.is_serving:
            raise InvalidArgumentException(
                f"Stream {stream.name} under account {stream.account} is {stream.status}; "
                "it can be a source once it is ACTIVE."
            )
        handle.log.publish_end()
        return FoundSource(stream.stream_id, handle.log.end_position())

    def attach(self, source: KinesisSource) -> None:
        """Have the source publish how far it is synced, if it is still there."""
        log = self._log(source)
        if log is not None:
            log.publish_end()

    def end(self, source: KinesisSource) -> int | None:
        """Where the source's log ends now; None if it is gone."""
        log = self._log(source)
        return None if log is None else log.end_position()

    def _log(self, source: KinesisSource) -> RecordLog | None:
        """The log of the source; None if it was deleted, also if another was made under the same name."""
        *_, region, account, _ = source.stream_arn.split(":")
        try:
            handle = self._streams.registry.find_by(account, region, arn=source.stream_arn, stream_id=source.stream_id)
        except Fault:
            return None
        return handle.log
