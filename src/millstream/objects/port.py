"""What the rest of Millstream knows of object stores: buckets, objects, and what can go wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from typing import NamedTuple, Protocol

from millstream.base.errors import MillstreamError


class StoreError(MillstreamError):
    """An object store did not do what was asked; `code` is S3's (AccessDenied, NoSuchBucket, SlowDown, …)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ObjectMissing(StoreError):
    """There is no object of that key (NoSuchKey)."""


class Attributes(NamedTuple):
    """What is kept with an object, beside its bytes."""

    content_type: str = "application/octet-stream"
    content_encoding: str | None = None
    kms_key_arn: str | None = None


PLAIN = Attributes()
"""Bytes of no kind in particular."""


class ObjectInfo(NamedTuple):
    """An object in a listing."""

    key: str
    size_bytes: int
    modified_ms: int


class Bucket(Protocol):
    """One bucket. Every method may raise StoreError."""

    async def put(self, key: str, body: Callable[[], Iterable[bytes]], attributes: Attributes = PLAIN) -> int:
        """Put an object, replacing any of that key: whole or not at all, and durable on return; its size in bytes.

        `body` makes the object's bytes anew, in pieces; it is called, and what it returns is walked, in a thread.
        """
        ...

    async def get(self, key: str) -> bytes:
        """The bytes of a small object. Raises ObjectMissing."""
        ...

    def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        """The objects whose keys begin with `prefix`, by key."""
        ...

    async def delete(self, key: str) -> None:
        """Delete an object; one that is not there is fine."""
        ...


class ObjectStores(Protocol):
    """All buckets that can be had."""

    def bucket(self, name: str) -> Bucket:
        """The bucket of that name. Raises StoreError for a name that no bucket can have."""
        ...
