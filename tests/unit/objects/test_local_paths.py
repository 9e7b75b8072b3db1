"""Keys as paths: readable where they can be, and always reversible."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.objects.localpaths import UPLOADS, key_of, path_of

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
_PARTS = st.sampled_from(["/", "//", ".", "..", "%", "%=", "%+", "%25", "\0", "a", "x" * 300, "語" * 100, ".%uploads"])
_KEYS = st.lists(st.one_of(_TEXT, _PARTS), min_size=1, max_size=6).map("".join)


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("ticks/sector=ENERGY/2026/a-1.parquet", "ticks/sector=ENERGY/2026/a-1.parquet"),
        ("100%/é ü", "100%25/é ü"),
        ("/a//b/", "%/a/%/b/%"),
        ("a/../../etc", "a/%2E%2E/%2E%2E/etc"),
        ("./x", "%2E/x"),
        ("...", "..."),
        (".%uploads/x", ".%25uploads/x"),
        ("n\0l", "n%00l"),
        ("x" * 201, "x" * 200 + "%+/x"),
    ],
)
def test_keys_as_paths(key: str, path: str) -> None:
    assert "/".join(path_of(key)) == path
    assert key_of(path_of(key)) == key


@given(_KEYS)
def test_every_key_comes_back(key: str) -> None:
    names = path_of(key)
    assert key_of(names) == key
    assert UPLOADS not in names
    for name in names:
        assert name not in ("", ".", "..")
        assert "/" not in name
        assert "\0" not in name
        assert len(name.encode()) <= 250


@given(_KEYS, _KEYS)
def test_no_two_keys_share_a_path(one: str, other: str) -> None:
    assert (path_of(one) == path_of(other)) == (one == other)


@pytest.mark.parametrize("path", ["a%zz", "a%2e", "50%", "%25%", "a%+"])
def test_files_of_others_are_no_objects(path: str) -> None:
    assert key_of([path]) is None
