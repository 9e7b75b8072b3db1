"""The state of a data stream as plain values: what the catalog keeps and what operations decide on.

A `Stream` is desired state plus the facts that must outlive the process. Everything in it is a plain value that is
never changed in place: a change makes a new `Stream`, which is saved whole, as one versioned document, before it
replaces the old one in memory and before a caller is told.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from millstream.base.hashkeys import HASH_KEY_MAX
from millstream.base.units import HOUR_MS


class StreamStatus(StrEnum):
    """StreamStatus of the API."""

    CREATING = "CREATING"
    ACTIVE = "ACTIVE"
    UPDATING = "UPDATING"
    DELETING = "DELETING"


class StreamMode(StrEnum):
    """StreamMode of the API."""

    PROVISIONED = "PROVISIONED"
    ON_DEMAND = "ON_DEMAND"


class ConsumerStatus(StrEnum):
    """ConsumerStatus of the API."""

    CREATING = "CREATING"
    ACTIVE = "ACTIVE"
    DELETING = "DELETING"


class Shard(msgspec.Struct, kw_only=True, frozen=True):
    """One shard: a hash key range from its opening until it closes.

    `created_s` (epoch seconds) leads every sequence number of the shard; a child's is always above its parents', so
    sequence numbers grow along the lineage whatever the clock does. `opened_ms` and `closed_ms` are when it started
    and stopped taking records. `end_offset` is the log offset after the last record: None while the shard is open,
    and for the moment between its closing and the settling of its last appends.
    """

    index: int
    start_hash: int = 0
    end_hash: int = HASH_KEY_MAX
    created_s: int
    opened_ms: int
    parents: list[int] = []  # parent, then adjacent parent of a merge
    closed_ms: int | None = None
    end_offset: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether records may still be put."""
        return self.closed_ms is None

    @property
    def shard_id(self) -> str:
        """The ShardId of the API."""
        return f"shardId-{self.index:012d}"


class Consumer(msgspec.Struct, kw_only=True, frozen=True):
    """A registered consumer (enhanced fan-out)."""

    name: str
    created_ms: int
    status: ConsumerStatus = ConsumerStatus.CREATING
    tags: dict[str, str] = {}
    policy: str | None = None


class DataKey(msgspec.Struct, kw_only=True, frozen=True):
    """A data key that encrypts blocks of the stream's log, wrapped by the keyring; never deleted while blocks use it.

    Numbers count from 1; 0 means "not encrypted" wherever a data key number stands.
    """

    number: int
    kms_key_id: str
    wrapped: bytes


class Resharding(msgspec.Struct, kw_only=True, frozen=True, tag="resharding"):
    """A change under way: the open shards are to start at `starts` (hash keys, ascending, the first 0)."""

    starts: list[int]


class EncryptionChange(msgspec.Struct, kw_only=True, frozen=True, tag="encryption"):
    """A change under way: new blocks are to use data key `data_key` (0: none), made for KMS key `key_id`."""

    key_id: str | None
    data_key: int


class Settling(msgspec.Struct, kw_only=True, frozen=True, tag="settling"):
    """A change that has taken effect already; the stream shows UPDATING for as long as AWS's would."""


Change = Resharding | EncryptionChange | Settling


class Stream(msgspec.Struct, kw_only=True, frozen=True):
    """A data stream with all of its shards, consumers and settings."""

    account: str
    region: str
    name: str
    stream_id: str  # names the log directory: a stream made again under the same name has another
    created_ms: int
    status: StreamStatus = StreamStatus.CREATING
    change: Change | None = None  # while UPDATING: what is carried on after a restart
    mode: StreamMode = StreamMode.PROVISIONED
    retention_hours: int = 24
    horizon_ms: int = 0  # records that arrived before have expired, whatever the retention period became later
    max_record_size_kib: int = 1024
    warm_throughput_mibps: int | None = None
    shards: list[Shard] = []  # by index; shards past retention are removed
    next_shard_index: int = 0
    consumers: list[Consumer] = []
    tags: dict[str, str] = {}
    policy: str | None = None
    enhanced_metrics: list[str] = []
    encryption_key_id: str | None = None  # the KeyId as the caller gave it; None: not encrypted
    data_key: int = 0  # number of the data key for new blocks; 0: not encrypted
    data_keys: list[DataKey] = []
    # when each change of a kind that AWS counts over 24 hours was asked for, oldest first
    mode_changes_ms: list[int] = []
    rescales_ms: list[int] = []
    encryption_changes_ms: list[int] = []

    @property
    def arn(self) -> str:
        """The stream's Amazon Resource Name."""
        return f"arn:aws:kinesis:{self.region}:{self.account}:stream/{self.name}"

    @property
    def open_shards(self) -> list[Shard]:
        """The shards that take records, by starting hash key."""
        return sorted((shard for shard in self.shards if shard.is_open), key=lambda shard: shard.start_hash)

    def consumer_arn(self, consumer: Consumer) -> str:
        """The Amazon Resource Name of one of the stream's consumers."""
        return f"{self.arn}/consumer/{consumer.name}:{consumer.created_ms // 1000}"

    def trim_horizon_ms(self, now_ms: int) -> int:
        """Records that arrived before this have expired: nobody may see them."""
        return max(self.horizon_ms, now_ms - self.retention_hours * HOUR_MS)
