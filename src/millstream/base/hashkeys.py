"""The hash key space: 128-bit unsigned integers that partition keys are mapped into by MD5.

Source: Kinesis Data Streams developer guide, "Partition key"; HashKeyRange shape.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from importlib import import_module
from itertools import pairwise
from typing import Any

HASH_KEY_COUNT = 1 << 128
HASH_KEY_MAX = HASH_KEY_COUNT - 1


def _md5() -> Callable[[bytes], Any]:
    try:
        constructor: Callable[[bytes], Any] = import_module("_md5").md5
    except ImportError:
        return partial(hashlib.md5, usedforsecurity=False)
    return constructor


md5 = _md5()
"""MD5, from CPython's own implementation if it is there: on keys as short as these it costs a third of OpenSSL's."""


def hash_key_bytes(partition_key: bytes) -> bytes:
    """The hash key of a UTF-8 partition key as 16 big-endian bytes (which order as the number does)."""
    digest: bytes = md5(partition_key).digest()
    return digest


def hash_key(partition_key: bytes) -> int:
    """The hash key of a UTF-8 partition key, 0 … 2^128-1."""
    return int.from_bytes(hash_key_bytes(partition_key), "big")


def even_ranges(count: int) -> list[tuple[int, int]]:
    """`count` adjacent inclusive ranges that cover the hash key space, as CreateStream cuts it."""
    bounds = [i * HASH_KEY_COUNT // count for i in range(count + 1)]
    return [(low, high - 1) for low, high in pairwise(bounds)]
