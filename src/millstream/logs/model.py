"""Log groups and log streams as plain values: what the catalog keeps."""

from __future__ import annotations

import msgspec

GROUP_KIND = "log-group"
STREAM_KIND = "log-stream"

DAY_MS = 86_400_000


class LogGroup(msgspec.Struct, kw_only=True, frozen=True):
    """A log group. `group_id` is that of this life of the name: a group that is made again has another one."""

    account: str
    region: str
    name: str
    group_id: str
    created_ms: int
    retention_days: int | None = None
    kms_key_id: str | None = None
    group_class: str = "STANDARD"
    deletion_protected: bool = False
    tags: dict[str, str] = {}

    @property
    def arn(self) -> str:
        """The ARN without `:*`, as subscriptions and tags have it."""
        return f"arn:aws:logs:{self.region}:{self.account}:log-group:{self.name}"

    @property
    def number(self) -> int:
        """Eight decimal digits that tell this group's events from other groups' (not surely, but see `events`)."""
        return int(self.group_id, 16) % 10**8

    def oldest_ms(self, now_ms: int) -> int:
        """Events of an earlier time than this have expired."""
        return 0 if self.retention_days is None else max(0, now_ms - self.retention_days * DAY_MS)


class LogStream(msgspec.Struct, kw_only=True, frozen=True):
    """A log stream; `shard` is its shard in the log of its group, and no other's, ever, once it has events."""

    name: str
    shard: int
    created_ms: int


def stream_document_name(group_id: str, name: str) -> str:
    """The name of a log stream's document: those of one group stand together."""
    return f"{group_id}/{name}"
