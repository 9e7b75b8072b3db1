"""Documents whose names start alike: listed and deleted together, and no others."""

from __future__ import annotations

from millstream.catalog import SqliteCatalog

NAMES = ("a/1", "a/2", "a/\u00e9\U0001f600", "a0", "ab/1", "b/1")


def catalog() -> SqliteCatalog:
    made = SqliteCatalog(":memory:")
    for name in NAMES:
        made.put("k", "1", "r", name, b"x", 0)
    made.put("k", "2", "r", "a/1", b"x", 0)
    made.put("other", "1", "r", "a/1", b"x", 0)
    return made


def test_documents_are_listed_by_prefix() -> None:
    listed = catalog().list("k", "1", "r", prefix="a/")
    assert [document.name for document in listed] == list(NAMES[:3])
    assert len(catalog().list("k", "1", "r")) == len(NAMES)


def test_documents_are_deleted_by_prefix() -> None:
    made = catalog()
    made.delete_all("k", "1", "r", "a/")
    assert [document.name for document in made.list("k", "1", "r")] == list(NAMES[3:])
    assert len(made.list("k", "2", "r")) == len(made.list("other")) == 1
    made.delete_all("k", "1", "r", "nothing/")
