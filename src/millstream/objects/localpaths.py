"""Keys of objects as paths of files, and back.

A key is its path, segment by segment, so that tools find `ticks/sector=ENERGY/x.parquet` where they look for it.
What a path cannot be is written with a percent sign:

    %           %25                          (so that what follows a percent sign is always ours)
    NUL         %00
    . and ..    %2E and %2E%2E               as whole segments
    "" (a//b)   %                            an empty segment, also the one after a final slash
    > 200 B     aaa…%+/aaa                   cut into directories
    a and a/b   a%= and a/b                  the object "a", where "a" is a directory already

No key has a path with `.%uploads` in it: there the store keeps what is not an object yet.
"""

from __future__ import annotations

import re

UPLOADS = ".%uploads"
ASIDE = "%="
_CONTINUED = "%+"
_EMPTY = "%"
_NAME_BYTES_MAX = 200  # file systems allow 255; what we append must fit as well
_ESCAPED = re.compile(r"%(25|00|2E)")


def path_of(key: str) -> list[str]:
    """The names of directories, and last of the file, that the key is kept under."""
    return [name for segment in key.split("/") for name in _names(segment)]


def key_of(names: list[str]) -> str | None:
    """The key that is kept under these names; None if no key is."""
    last = names[-1].removesuffix(ASIDE)
    segments, begun = [], ""
    for name in [*names[:-1], last]:
        if name.endswith(_CONTINUED):
            begun += name.removesuffix(_CONTINUED)
        else:
            segments.append(begun + name)
            begun = ""
    key = "/".join("" if segment == _EMPTY else _ESCAPED.sub(_unescaped, segment) for segment in segments)
    return key if path_of(key) == [*names[:-1], last] else None


def _unescaped(match: re.Match[str]) -> str:
    return chr(int(match[1], 16))


def _names(segment: str) -> list[str]:
    if not segment:
        return [_EMPTY]
    if segment in (".", ".."):
        return [segment.replace(".", "%2E")]
    escaped = segment.replace("%", "%25").replace("\0", "%00")
    if len(escaped) * 4 <= _NAME_BYTES_MAX:  # the usual case: no need to count bytes
        return [escaped]
    pieces = _cut(escaped)
    return [*(piece + _CONTINUED for piece in pieces[:-1]), pieces[-1]]


def _cut(text: str) -> list[str]:
    """The text in pieces of at most `_NAME_BYTES_MAX` bytes, no character cut."""
    pieces: list[str] = []
    piece: list[str] = []
    size = 0
    for character in text:
        width = len(character.encode())
        if size + width > _NAME_BYTES_MAX:
            pieces.append("".join(piece))
            piece, size = [], 0
        piece.append(character)
        size += width
    return [*pieces, "".join(piece)]
