"""Compression of delivered objects: pieces of bytes in, pieces of bytes out, in memory that does not grow.

The bytes depend on the input alone (no clock, no name of a file), so that an object that is put again after a crash is
the same object. Pieces may be cut anywhere: the same data in other pieces gives the same decompressed data, though not
always the same bytes.

    GZIP           one member, mtime 0
    ZIP            one deflated entry, dated 1980-01-01, with a data descriptor; ZIP64 fields above 4 GiB
    Snappy         82 "SNAPPY" 00, version 1, compatible 1, then (length, block)…     (xerial's framing)
    HADOOP_SNAPPY  (length decompressed, length, block)…   (Hadoop's BlockCompressorStream)

Lengths in both Snappy framings are four bytes, the highest first; a block is raw Snappy. That "Snappy" is xerial's
framing, and ZIP's single entry is named by a UUID, has been observed of AWS; HADOOP_SNAPPY is documented.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import cramjam
from isal import isal_zlib

from millstream.base.units import KIB

LEVEL = 1  # of isal's 0 to 3; 1 is where the time goes up faster than the ratio
XERIAL_BLOCK_BYTES = 32 * KIB
HADOOP_BLOCK_BYTES = 192 * KIB
"""Below the 218,420 bytes that surely fit Hadoop's buffer of 256 KiB once compressed."""

_XERIAL_HEADER = b"\x82SNAPPY\x00" + struct.pack(">II", 1, 1)
_GZIP_WINDOW_BITS = 31
_RAW_WINDOW_BITS = -15
_FOUR_GIB = 0xFFFF_FFFF


class _Format(NamedTuple):
    extension: str
    compress: Callable[[Iterable[bytes], str], Iterator[bytes]]


def compress(name: str, pieces: Iterable[bytes], *, entry_name: str = "records") -> Iterator[bytes]:
    """The pieces, compressed as the CompressionFormat `name` of the API says.

    `entry_name` names the entry of a ZIP archive. Raises ValueError for an unknown format.
    """
    return _format(name).compress(pieces, entry_name)


def extension(name: str) -> str:
    """What the keys of such objects end in: "" or ".gz" and the like. Raises ValueError for an unknown format."""
    return _format(name).extension


def _format(name: str) -> _Format:
    try:
        return _FORMATS[name]
    except KeyError:
        raise ValueError(f"unknown compression format {name}; known are {', '.join(_FORMATS)}") from None


def _as_it_is(pieces: Iterable[bytes], _entry_name: str) -> Iterator[bytes]:
    return iter(pieces)


def _gzip(pieces: Iterable[bytes], _entry_name: str) -> Iterator[bytes]:
    return _deflated(pieces, _GZIP_WINDOW_BITS)


def _deflated(pieces: Iterable[bytes], window_bits: int) -> Iterator[bytes]:
    compressor = isal_zlib.compressobj(LEVEL, isal_zlib.DEFLATED, window_bits)
    for piece in pieces:
        if compressed := compressor.compress(piece):
            yield compressed
    yield compressor.flush()


def _xerial_snappy(pieces: Iterable[bytes], _entry_name: str) -> Iterator[bytes]:
    yield _XERIAL_HEADER
    for block in _blocks(pieces, XERIAL_BLOCK_BYTES):
        compressed = bytes(cramjam.snappy.compress_raw(block))
        yield struct.pack(">I", len(compressed)) + compressed


def _hadoop_snappy(pieces: Iterable[bytes], _entry_name: str) -> Iterator[bytes]:
    for block in _blocks(pieces, HADOOP_BLOCK_BYTES):
        compressed = bytes(cramjam.snappy.compress_raw(block))
        yield struct.pack(">II", len(block), len(compressed)) + compressed


def _blocks(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in blocks of `size`; the last one may be shorter, none is empty."""
    rest = b""
    for piece in pieces:
        data = rest + piece if rest else piece
        whole = len(data) - len(data) % size
        for start in range(0, whole, size):
            yield data[start : start + size]
        rest = data[whole:]
    if rest:
        yield rest


class _Measured:
    """Bytes that pass by, counted and summed up."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.size = 0
        self.crc = 0
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.size += len(piece)
            self.crc = isal_zlib.crc32(piece, self.crc)
            yield piece


_ZIP_VERSION = 20
_ZIP64_VERSION = 45
_ZIP_FLAGS = 0x0808  # sizes follow the data; the name is UTF-8
_ZIP_DEFLATED = 8
_ZIP_DATE = 0x0021  # 1980-01-01, the earliest there is


def _zip(pieces: Iterable[bytes], entry_name: str) -> Iterator[bytes]:
    """Source: PKWARE's APPNOTE 6.3.10, sections 4.3.7 (entry), 4.3.9 (data descriptor), 4.3.12-16 (directory)."""
    name = entry_name.encode()
    head = struct.pack("<HHHH", _ZIP_FLAGS, _ZIP_DEFLATED, 0, _ZIP_DATE)
    local = b"PK\x03\x04" + struct.pack("<H", _ZIP_VERSION) + head + struct.pack("<IIIHH", 0, 0, 0, len(name), 0) + name
    yield local
    plain = _Measured(pieces)
    size = 0
    for piece in _deflated(plain, _RAW_WINDOW_BITS):
        size += len(piece)
        yield piece
    large = _is_large(size, plain.size)
    descriptor = b"PK\x07\x08" + struct.pack("<IQQ" if large else "<III", plain.crc, size, plain.size)
    yield descriptor
    yield _zip_directory(head, name, plain, size, start=len(local) + size + len(descriptor))


def _is_large(*numbers: int) -> bool:
    """Whether one of them does not fit four bytes."""
    return max(numbers) >= _FOUR_GIB


def _zip_directory(head: bytes, name: bytes, plain: _Measured, size: int, *, start: int) -> bytes:
    """What stands at the archive's end, from byte `start` on; `size` is that of the compressed data."""
    large = _is_large(start, plain.size)
    version = _ZIP64_VERSION if large else _ZIP_VERSION
    extra = struct.pack("<HHQQ", 1, 16, plain.size, size) if large else b""
    sizes = (_FOUR_GIB, _FOUR_GIB) if large else (size, plain.size)
    entry = b"PK\x01\x02" + struct.pack("<HH", version, version) + head + struct.pack("<III", plain.crc, *sizes)
    entry += struct.pack("<HHHHHII", len(name), len(extra), 0, 0, 0, 0, 0) + name + extra
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(entry), _FOUR_GIB if large else start, 0)
    if not large:
        return entry + end
    end64 = b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, version, version, 0, 0, 1, 1, len(entry), start)
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, start + len(entry), 1)
    return entry + end64 + locator + end


_FORMATS = {
    "UNCOMPRESSED": _Format("", _as_it_is),
    "GZIP": _Format(".gz", _gzip),
    "ZIP": _Format(".zip", _zip),
    "Snappy": _Format(".snappy", _xerial_snappy),
    "HADOOP_SNAPPY": _Format(".snappy", _hadoop_snappy),
}
