"""The state of a delivery stream as plain values: what the catalog keeps, and what the worker works by.

A `DeliveryStream` is desired state. It is never changed in place: a change makes a new one, which is saved whole, as
one versioned document, before it replaces the old one in memory and before a caller is told. The api process writes
these documents, the worker reads them; how far delivery has come is the worker's own `Progress` (see `progress`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

KIND = "delivery-stream"
"""The catalog's kind of delivery streams' documents."""


class StreamType(StrEnum):
    """DeliveryStreamType of the API, those that are served."""

    DIRECT_PUT = "DirectPut"
    KINESIS = "KinesisStreamAsSource"


class StreamStatus(StrEnum):
    """DeliveryStreamStatus of the API."""

    CREATING = "CREATING"
    CREATING_FAILED = "CREATING_FAILED"
    ACTIVE = "ACTIVE"
    DELETING = "DELETING"
    DELETING_FAILED = "DELETING_FAILED"


class EncryptionStatus(StrEnum):
    """DeliveryStreamEncryptionStatus of the API."""

    DISABLED = "DISABLED"
    ENABLING = "ENABLING"
    ENABLED = "ENABLED"
    DISABLING = "DISABLING"
    ENABLING_FAILED = "ENABLING_FAILED"
    DISABLING_FAILED = "DISABLING_FAILED"


class DataKey(msgspec.Struct, kw_only=True, frozen=True):
    """A data key that encrypts blocks of the delivery stream's log, wrapped by the keyring. Numbers count from 1."""

    number: int
    kms_key_id: str
    wrapped: bytes


class Encryption(msgspec.Struct, kw_only=True, frozen=True):
    """Server-side encryption of the delivery stream's own log (Direct PUT only)."""

    status: EncryptionStatus = EncryptionStatus.DISABLED
    key_type: str | None = None  # AWS_OWNED_CMK or CUSTOMER_MANAGED_CMK
    key_arn: str | None = None
    data_key: int = 0  # number of the data key for new blocks; 0: not encrypted
    data_keys: list[DataKey] = []
    changes_ms: list[int] = []  # when it was started or stopped by a call, within the last 24 hours


class KinesisSource(msgspec.Struct, kw_only=True, frozen=True):
    """The data stream that a delivery stream reads, from where its log ended when the delivery stream was made."""

    stream_arn: str
    role_arn: str
    stream_id: str  # of the data stream: one made again under the same name is another
    start_position: int  # log position
    start_ms: int  # DeliveryStartTimestamp


class Destination(msgspec.Struct, kw_only=True, frozen=True):
    """Where a delivery stream delivers to.

    `kind` is what stands before `DestinationDescription` in the API's names: ExtendedS3, Redshift, Elasticsearch,
    Amazonopensearchservice, AmazonOpenSearchServerless, HttpEndpoint, Splunk, Snowflake, Iceberg. `configuration` has
    the shape of that description, with all defaults filled in and without secrets; `secrets` has those by the member's
    name (Password, HECToken, AccessKey, a URL with a password in it), each sealed. `configuration.parse` makes typed
    values of both.
    """

    kind: str
    configuration: dict[str, Any]
    secrets: dict[str, str] = {}


class DeliveryStream(msgspec.Struct, kw_only=True, frozen=True):
    """A delivery stream with its source, destination and settings.

    `version` is the API's VersionId: it starts at 1, and every UpdateDestination adds one.
    """

    account: str
    region: str
    name: str
    stream_id: str  # names its directory: a delivery stream made again under the same name has another
    created_ms: int
    updated_ms: int | None = None
    status: StreamStatus = StreamStatus.CREATING
    failure: str | None = None  # why it is CREATING_FAILED or DELETING_FAILED
    type: StreamType = StreamType.DIRECT_PUT
    throughput_hint_mib: int | None = None  # what Direct PUT was said to bring a second; only remembered
    source: KinesisSource | None = None
    version: int = 1
    destination: Destination
    encryption: Encryption = Encryption()
    tags: dict[str, str] = {}

    @property
    def arn(self) -> str:
        """The delivery stream's Amazon Resource Name."""
        return f"arn:aws:firehose:{self.region}:{self.account}:deliverystream/{self.name}"
