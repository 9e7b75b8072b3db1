"""Records that are not what a schema says: bytes, wrong types, odd numbers, deep JSON."""

from __future__ import annotations

import json
import random

from support.sqlrows import COLUMNS

_VALUES: tuple[object, ...] = (
    None,
    True,
    False,
    0,
    -1,
    10**30,
    -(10**400),
    1e308,
    0.1,
    "",
    "a",
    "x" * 3000,
    "NaN",
    "Infinity",
    "1e999",
    "-0",
    "12.5",
    " 7 ",
    "\uff12",
    "true",
    "2016-09-23",
    "2016-02-30",
    "2016-09-23 25:00:00",
    "9999-12-31 23:59:59.999",
    "-0001-01-01",
    "99999999999999999999",
    "\x00",
    "\ud800",
    [],
    {},
    [1, 2],
    {"a": {"b": []}},
    "\u202e",
    "12:30:01",
    1474588800000,
    "0x10",
    "1_000",
    "½",
    "ab\ncd",
    '"',
    "\\",
)
_TEXTS = (
    b"",
    b" ",
    b"\n",
    b"null",
    b"[]",
    b"{}",
    b"{",
    b"}",
    b"[{}",
    b'{"K":',
    b'{"K":"a"}{"K":"b"}',
    b'{"K":"a"},{"K":"b"}',
    b"\xff\xfe",
    b"\x00" * 9,
    b'{"K":"\xff"}',
    b"1",
    b'"a"',
    b'{"K":"a","K":"b"}',
    b'{"K":NaN}',
    b'{"G":01}',
    b'{"G":1e5}',
    b'{"G":1.0}',
    b'{"F":-}',
    b"\xef\xbb\xbf{}",
    b'{"K":"\\ud800"}',
    b"{'K':1}",
    b'{"K":"a"} x',
    b"a,b,c",
    b'{"G":' + b"9" * 5000 + b"}",
)


def garbage(chance: random.Random) -> bytes:
    """One such record."""
    draw = chance.random()
    if draw < 0.15:
        return chance.choice(_TEXTS)
    if draw < 0.25:
        return chance.randbytes(chance.randrange(40))
    if draw < 0.3:
        opening, closing, depth = *chance.choice(((b"[", b"]"), (b'{"a":', b"}"))), chance.choice((5, 500, 5000))
        return b'{"K":' + opening * depth + b"1" + closing * depth + b"}"
    record = {name: chance.choice(_VALUES) for name in COLUMNS if chance.random() < 0.5}
    text = json.dumps(record).encode()
    if chance.random() < 0.1:
        text = text[: chance.randrange(len(text))]
    return text
