"""What the rest of Millstream knows of a catalog: the document, the errors, and the `Catalog` port."""

from __future__ import annotations

from typing import Protocol

import msgspec

from millstream.base.errors import MillstreamError


class CatalogError(MillstreamError):
    """The catalog could not do what was asked (the disk is full, the file is damaged, …); nothing changed."""


class VersionConflict(CatalogError):
    """The document is not at the version that the writer expected; nothing changed."""


class Document(msgspec.Struct, frozen=True):
    """One document; `version` counts its changes from 1."""

    kind: str
    account: str
    region: str
    name: str
    version: int
    body: bytes


class Catalog(Protocol):
    """Versioned documents. Every change is durable when the call returns; every method may raise CatalogError."""

    def get(self, kind: str, account: str, region: str, name: str) -> Document | None:
        """The document, or None if there is none."""
        ...

    def put(self, kind: str, account: str, region: str, name: str, body: bytes, expected_version: int) -> int:
        """Write the document if it is still at `expected_version` (0: it must not exist); returns the new version.

        Raises VersionConflict.
        """
        ...

    def delete(self, kind: str, account: str, region: str, name: str, expected_version: int) -> None:
        """Delete the document if it is still at `expected_version`. Raises VersionConflict."""
        ...

    def delete_all(self, kind: str, account: str, region: str, prefix: str) -> None:
        """Delete, at once, the documents whose names start with `prefix`, at whatever version."""
        ...

    def list(
        self, kind: str, account: str | None = None, region: str | None = None, *, prefix: str = ""
    ) -> list[Document]:
        """The documents of a kind, of one account and region where given, whose names start with `prefix`.

        In order of (account, region, name).
        """
        ...

    def close(self) -> None:
        """Release the catalog; afterwards it refuses everything."""
        ...
