"""The documents of this room, as the catalog keeps them. Everything is immutable: a change makes another document."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from millstream.analytics.records.schema import Schema

KIND = "application"


class Status(StrEnum):
    """ApplicationStatus, as far as SQL applications have them."""

    READY = "READY"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    UPDATING = "UPDATING"
    STOPPING = "STOPPING"
    DELETING = "DELETING"


class ResourceKind(StrEnum):
    """What an application reads from or writes to."""

    STREAM = "stream"
    DELIVERY_STREAM = "firehose"
    FUNCTION = "lambda"


class Start(StrEnum):
    """InputStartingPosition."""

    NOW = "NOW"
    TRIM_HORIZON = "TRIM_HORIZON"
    LAST_STOPPED_POINT = "LAST_STOPPED_POINT"


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """An input: `source_id` is the stream's or delivery stream's own id, so that one made again under its name is
    another.

    `position` is where the run that is under way, or the last one, was told to begin: a log position that was looked
    up
    when NOW or TRIM_HORIZON was asked for (0: the oldest), None for LAST_STOPPED_POINT.
    """

    input_id: str
    name_prefix: str
    kind: ResourceKind
    arn: str
    role_arn: str | None = None
    source_id: str = ""
    parallelism: int = 1
    schema: Schema
    processor_arn: str | None = None
    processor_role_arn: str | None = None
    start: Start = Start.NOW
    position: int | None = None


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """An output: the in-application stream `name` goes to a stream, a delivery stream or a function, as JSON or CSV
    rows."""

    output_id: str
    name: str
    kind: ResourceKind
    arn: str
    role_arn: str | None = None
    format: str = "JSON"


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """A reference table, read from an object. `revision` changes when UpdateApplication says to read it again."""

    reference_id: str
    table_name: str
    bucket_arn: str
    file_key: str
    role_arn: str | None = None
    schema: Schema
    revision: int = 1


class LoggingOption(msgspec.Struct, frozen=True, kw_only=True):
    """CloudWatchLoggingOption: where messages about the application go."""

    option_id: str
    log_stream_arn: str
    role_arn: str | None = None


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """An application. `application_id` names its directory; `run` counts its starts; `failure` is why it stopped by
    itself."""

    application_id: str
    account: str
    region: str
    name: str
    description: str | None = None
    status: Status = Status.READY
    version: int = 1
    created_ms: int
    updated_ms: int
    code: str = ""
    role_arn: str | None = None
    inputs: tuple[Input, ...] = ()
    outputs: tuple[Output, ...] = ()
    references: tuple[Reference, ...] = ()
    logging: tuple[LoggingOption, ...] = ()
    tags: dict[str, str] = {}
    run: int = 0
    failure: str | None = None
    versions: tuple[msgspec.Raw, ...] = ()

    @property
    def arn(self) -> str:
        """ApplicationARN."""
        return f"arn:aws:kinesisanalytics:{self.region}:{self.account}:application/{self.name}"

    @property
    def is_wanted(self) -> bool:
        """Whether it is to have a process now."""
        return self.status in (Status.STARTING, Status.RUNNING, Status.UPDATING)
