"""Telling the C library to keep what is freed, within bounds.

By default glibc maps every buffer of the size of a request or reply body anew and gives it back at once; each time the
kernel must find, clear and map its pages. That was 8 % of the cycles of a PutRecords of 500 KiB.
"""

from __future__ import annotations

import ctypes

from millstream.base.units import MIB

_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8

_ARENAS = 1  # each keeps as much; and since threads take turns in the interpreter, they hardly meet in the allocator
_KEPT_BYTES = 64 * MIB
_AHEAD_BYTES = 8 * MIB
_MAPPED_BYTES_MIN = 32 * MIB  # the largest threshold that glibc takes


def keep_freed_memory() -> None:
    """Reuse freed memory up to `_KEPT_BYTES` instead of returning it. Does nothing where the C library is not glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_TOP_PAD, _AHEAD_BYTES)
        mallopt(_M_MMAP_THRESHOLD, _MAPPED_BYTES_MIN)
