"""Databases and tables as plain values: what the catalog keeps."""

from __future__ import annotations

from typing import Any

import msgspec

DATABASE_KIND = "glue-database"
TABLE_KIND = "glue-table"

_BETWEEN = "\x1f"  # no name may have it, and it sorts before all that names may have but a tab


class Database(msgspec.Struct, kw_only=True, frozen=True):
    """A database; `members` is DatabaseInput of the API, its Name in lower case."""

    name: str
    created_ms: int
    members: dict[str, Any]


class Version(msgspec.Struct, kw_only=True, frozen=True):
    """A version of a table; `members` is TableInput of the API, names in it in lower case. Numbers count from 0."""

    number: int
    updated_ms: int
    members: dict[str, Any]


class Table(msgspec.Struct, kw_only=True, frozen=True):
    """A table with its versions, the newest last; there is at least one."""

    database: str
    name: str
    created_ms: int
    versions: list[Version]

    @property
    def latest(self) -> Version:
        """The newest version."""
        return self.versions[-1]

    def version(self, number: str) -> Version | None:
        """The version of that VersionId."""
        return next((version for version in self.versions if str(version.number) == number), None)


def document_name(database: str, table: str) -> str:
    """The name of a table's document; both names in lower case."""
    return f"{database}{_BETWEEN}{table}"
