"""The catalog: documents changed by compare-and-set."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from millstream.catalog import CatalogError, Document, SqliteCatalog, VersionConflict

KEY = ("stream", "123456789012", "us-east-1", "orders")


@pytest.fixture
def catalog() -> Iterator[SqliteCatalog]:
    """An empty catalog."""
    opened = SqliteCatalog(":memory:")
    yield opened
    opened.close()


def test_a_document_is_put_changed_and_deleted(catalog: SqliteCatalog) -> None:
    assert catalog.get(*KEY) is None
    assert catalog.put(*KEY, b"one", 0) == 1
    assert catalog.put(*KEY, b"two", 1) == 2
    assert catalog.get(*KEY) == Document(*KEY, 2, b"two")
    catalog.delete(*KEY, 2)
    assert catalog.get(*KEY) is None
    assert catalog.put(*KEY, b"again", 0) == 1


def test_who_comes_second_loses(catalog: SqliteCatalog) -> None:
    catalog.put(*KEY, b"one", 0)
    catalog.put(*KEY, b"two", 1)
    for expected_version in (0, 1, 3):
        with pytest.raises(VersionConflict):
            catalog.put(*KEY, b"mine", expected_version)
    with pytest.raises(VersionConflict):
        catalog.delete(*KEY, 1)
    assert catalog.get(*KEY) == Document(*KEY, 2, b"two")


def test_what_is_not_there_is_neither_changed_nor_deleted(catalog: SqliteCatalog) -> None:
    with pytest.raises(VersionConflict):
        catalog.put(*KEY, b"one", 1)
    with pytest.raises(VersionConflict):
        catalog.delete(*KEY, 1)


def test_listing_is_by_kind_account_and_region_in_order(catalog: SqliteCatalog) -> None:
    for kind, account, region, name in (
        ("stream", "2", "a", "x"),
        ("stream", "1", "b", "x"),
        ("stream", "1", "a", "y"),
        ("stream", "1", "a", "x"),
        ("other", "1", "a", "x"),
    ):
        catalog.put(kind, account, region, name, b"", 0)
    assert [(found.account, found.region, found.name) for found in catalog.list("stream")] == [
        ("1", "a", "x"),
        ("1", "a", "y"),
        ("1", "b", "x"),
        ("2", "a", "x"),
    ]
    assert [found.name for found in catalog.list("stream", "1", "a")] == ["x", "y"]
    assert [found.region for found in catalog.list("stream", "1")] == ["a", "a", "b"]
    assert catalog.list("stream", "3") == []


def test_a_closed_catalog_refuses(catalog: SqliteCatalog) -> None:
    catalog.close()
    with pytest.raises(CatalogError):
        catalog.get(*KEY)
    with pytest.raises(CatalogError):
        catalog.put(*KEY, b"", 0)


def test_a_later_layout_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "file:later?mode=memory&cache=shared"
    later = sqlite3.connect(name, uri=True)
    later.execute("PRAGMA user_version = 99")
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, **options: connect(path, uri=True, **options))
    with pytest.raises(CatalogError, match="layout 99"):
        SqliteCatalog(name)
    later.close()


def test_another_process_may_read_while_one_writes(tmp_path: Path) -> None:
    path = tmp_path / "a directory" / "catalog.db"
    path.parent.mkdir()
    with pytest.raises(CatalogError):
        SqliteCatalog(path, read_only=True)
    writer = SqliteCatalog(path)
    writer.put(*KEY, b"one", 0)
    reader = SqliteCatalog(path, read_only=True)
    assert reader.get(*KEY) == Document(*KEY, 1, b"one")
    writer.put(*KEY, b"two", 1)
    assert reader.list("stream") == [Document(*KEY, 2, b"two")]
    with pytest.raises(CatalogError):
        reader.put(*KEY, b"three", 2)
    reader.close()
    writer.close()


def test_a_reader_sees_nothing_in_a_file_that_is_only_being_made(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    sqlite3.connect(path).execute("PRAGMA journal_mode = WAL").connection.close()
    reader = SqliteCatalog(path, read_only=True)
    assert reader.list("stream") == []
    assert reader.get("stream", "a", "r", "n") is None
    writer = SqliteCatalog(path)
    writer.put("stream", "a", "r", "n", b"1", 0)
    assert [document.body for document in reader.list("stream")] == [b"1"]
    reader.close()
    writer.close()


def test_opening_a_catalog_that_is_there_writes_nothing(tmp_path: Path) -> None:
    """On a disk without a byte left a server must still start."""
    path = tmp_path / "catalog.db"
    SqliteCatalog(path).close()
    watching = sqlite3.connect(path)
    before = watching.execute("PRAGMA data_version").fetchone()
    SqliteCatalog(path).close()
    assert watching.execute("PRAGMA data_version").fetchone() == before
    watching.close()
