from __future__ import annotations

from array import array

import pytest

from millstream.log import Packed


@pytest.mark.parametrize("texts", [[], [b""], [b"one"], [b"one", b"", b"three"], [b"x" * 70_000, b"y"], [b"n"] * 5000])
def test_what_is_packed_is_cut_apart_again(texts: list[bytes]) -> None:
    packed = Packed(b"before" + b"".join(texts) + b"after", 6, array("I", map(len, texts)))
    assert packed.cut() == texts
    assert packed.content == b"".join(texts)
    assert len(packed) == len(texts)


def test_only_what_is_packed_is_searched() -> None:
    packed = Packed(b"before one two after", 7, array("I", [3, 1, 3]))
    assert packed.has(b"e t")
    assert not packed.has(b"before")
    assert not packed.has(b"after")
