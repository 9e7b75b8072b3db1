"""Objects in the bucket of a configuration: what they are called, what is said of them, and putting them for good.

Keys: `<evaluated prefix><delivery stream>-<version>-yyyy-MM-dd-HH-mm-ss-<uuid><extension>`; the time is the oldest
record's arrival. Source: developer guide, "Configure Amazon S3 object name format".
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from millstream.base.units import SECOND_MS
from millstream.firehose import prefixes
from millstream.firehose.configuration import S3, ExtendedS3
from millstream.firehose.formats import compression
from millstream.firehose.ports import Surroundings
from millstream.firehose.retries import attempts
from millstream.objects.port import Attributes, StoreError

KEY_BYTES_MAX = 1024

CONTENT_ENCODINGS = {"GZIP": "gzip", "ZIP": "zip", "Snappy": "snappy-java", "HADOOP_SNAPPY": "hadoop-snappy"}
"""Content-Encoding by CompressionFormat, as observed of AWS (others than gzip are no registered codings)."""


class ObjectWriter:
    """Names and puts the objects of one bucket configuration."""

    def __init__(self, configuration: S3, surroundings: Surroundings) -> None:
        self._configuration = configuration
        self._around = surroundings
        self._zone = ZoneInfo(configuration.time_zone if isinstance(configuration, ExtendedS3) else "UTC")

    @property
    def extension(self) -> str:
        """What the keys of objects compressed as configured end in."""
        return compression.extension(self._configuration.compression)

    def key(
        self,
        prefix: str,
        time_ms: int,
        parcel_id: str,
        extension: str,
        *,
        error_type: str | None = None,
        partition: tuple[tuple[str, str], ...] = (),
    ) -> str:
        """The key of the object that holds a parcel whose oldest record arrived at `time_ms`.

        Always one that a store takes: half surrogates become question marks, and a prefix too long for the 1,024 bytes
        of a key is cut and ends in a hash of the whole.
        """
        time = datetime.fromtimestamp(time_ms // SECOND_MS, self._zone).replace(
            microsecond=time_ms % SECOND_MS * SECOND_MS
        )
        evaluated = prefixes.parse(prefix).evaluate(
            time, random_string=prefixes.random_string(parcel_id), error_type=error_type, partition=partition
        )
        around = self._around
        name = f"{around.stream_name}-{around.version}-{time:%Y-%m-%d-%H-%M-%S}-{parcel_id}{extension}"
        return _fitting(evaluated, KEY_BYTES_MAX - len(name.encode())) + name

    def attributes(self, *, compressed: bool = True) -> Attributes:
        """What is kept with an object."""
        kms = self._configuration.encryption.kms
        return Attributes(
            content_encoding=CONTENT_ENCODINGS.get(self._configuration.compression) if compressed else None,
            kms_key_arn=kms.key_arn if kms else None,
        )

    async def put_compressed(self, key: str, parcel_id: str, pieces: Callable[[], Iterable[bytes]]) -> int:
        """Put what `pieces` makes, compressed as configured; see `put`."""
        name = self._configuration.compression
        body = lambda: compression.compress(name, pieces(), entry_name=parcel_id)  # noqa: E731
        return await self.put(key, body, self.attributes())

    async def put(self, key: str, body: Callable[[], Iterable[bytes]], attributes: Attributes) -> int:
        """Put an object, trying again until it is there, and telling of every failure; its size in bytes.

        AWS gives up after 24 hours and drops the data; we do not.
        """
        around, bucket = self._around, self._configuration.bucket
        async for attempt in attempts(around.clock, around.generator, None):
            try:
                return await around.stores.bucket(bucket).put(key, body, attributes)
            except StoreError as error:
                around.errors.report(f"S3.{error.code}", str(error), bucket=bucket, key=key, attempt=attempt)
        raise AssertionError("attempts without an end have ended")


def _fitting(prefix: str, bytes_max: int) -> str:
    encoded = prefix.encode(errors="replace")
    if len(encoded) > bytes_max:
        mark = hashlib.sha256(encoded).hexdigest()[:16].encode() + b"/"
        encoded = encoded[: bytes_max - len(mark)] + mark
    return encoded.decode(errors="ignore")
