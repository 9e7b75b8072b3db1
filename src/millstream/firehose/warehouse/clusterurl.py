"""Cluster URLs: which warehouse a ClusterJDBCURL means.

jdbc:redshift://host:port/database       Amazon Redshift
jdbc:postgresql://host:port/database     PostgreSQL; also postgresql://…
duckdb:                                  the warehouse file in the data directory
duckdb:name                              another one beside it, name.duckdb
duckdb:///path/to/file.duckdb            a file anywhere (only with the setting warehouse_paths)

Faults do not quote URLs: there may be passwords in them.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from millstream.base.errors import MillstreamError

_PORTS = {"redshift": 5439, "postgresql": 5432}
_SERVER = re.compile(r"(?:jdbc:)?(redshift|postgresql):(?://.+)", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class ClusterUrlError(MillstreamError):
    """A ClusterJDBCURL means no warehouse that there is."""


class Server(NamedTuple):
    """A server that speaks PostgreSQL's protocol; `kind` is redshift or postgresql."""

    kind: str
    host: str
    port: int
    database: str
    user: str | None = None
    password: str | None = None
    ssl_mode: str | None = None


class DuckDbFile(NamedTuple):
    """A DuckDB file: a path, or the name of one in the data directory ("" for the usual one)."""

    path: str | None
    name: str


def parse_cluster_url(url: str) -> Server | DuckDbFile:
    """What a ClusterJDBCURL means. Raises ClusterUrlError."""
    if url.startswith("duckdb:"):
        return _duckdb(url)
    if match := _SERVER.fullmatch(url):
        return _server(match[1], url)
    raise ClusterUrlError(
        "Invalid ClusterJDBCURL: use jdbc:redshift://host:port/database, jdbc:postgresql://host:port/database "
        "or duckdb:"
    )


def _duckdb(url: str) -> DuckDbFile:
    rest = url.removeprefix("duckdb:")
    if rest.startswith("///") and len(rest) > 3:
        return DuckDbFile(path=unquote(rest[2:]), name="")
    if not rest or _NAME.fullmatch(rest):
        return DuckDbFile(path=None, name=rest)
    raise ClusterUrlError(
        "Invalid ClusterJDBCURL: use duckdb:, duckdb:name (letters, digits, _ and -) or duckdb:///path"
    )


def _server(kind: str, url: str) -> Server:
    parts = urlsplit(url.removeprefix("jdbc:"))
    database = unquote(parts.path.lstrip("/"))
    try:
        port = parts.port or _PORTS[kind]
    except ValueError:
        raise ClusterUrlError("Invalid ClusterJDBCURL: the port must be from 1 to 65535.") from None
    if not parts.hostname or not database:
        raise ClusterUrlError(f"Invalid ClusterJDBCURL: use jdbc:{kind}://host:port/database.")
    return Server(
        kind=kind,
        host=parts.hostname,
        port=port,
        database=database,
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        ssl_mode=parse_qs(parts.query).get("sslmode", [None])[0],
    )
