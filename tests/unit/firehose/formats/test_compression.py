"""Compression, read back by decoders that are not ours."""

from __future__ import annotations

import gzip
import io
import random
import struct
import zipfile
from collections.abc import Iterator

import cramjam
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.firehose.formats import compression
from millstream.firehose.formats.compression import compress, extension

FORMATS = ["UNCOMPRESSED", "GZIP", "ZIP", "Snappy", "HADOOP_SNAPPY"]
UUID = "0b1c6f2e-5d0e-4f34-9d51-8f7c1f3f9b11"


def decompress(name: str, data: bytes) -> bytes:
    return {
        "UNCOMPRESSED": lambda: data,
        "GZIP": lambda: gzip.decompress(data),
        "ZIP": lambda: unzip(data),
        "Snappy": lambda: b"".join(xerial_blocks(data)),
        "HADOOP_SNAPPY": lambda: b"".join(hadoop_blocks(data)),
    }[name]()


def unzip(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        (entry,) = archive.infolist()
        assert entry.filename == UUID
        assert entry.compress_type == zipfile.ZIP_DEFLATED
        return archive.read(entry)


def xerial_blocks(data: bytes) -> Iterator[bytes]:
    assert data[:8] == b"\x82SNAPPY\x00"
    assert struct.unpack(">II", data[8:16]) == (1, 1)
    position = 16
    while position < len(data):
        (size,) = struct.unpack_from(">I", data, position)
        yield bytes(cramjam.snappy.decompress_raw(data[position + 4 : position + 4 + size]))
        position += 4 + size
    assert position == len(data)


def hadoop_blocks(data: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(data):
        plain, size = struct.unpack_from(">II", data, position)
        block = data[position + 8 : position + 8 + size]
        yield pa.Codec("snappy").decompress(block, decompressed_size=plain, asbytes=True)
        position += 8 + size
    assert position == len(data)


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=25, deadline=None)
@given(pieces=st.lists(st.binary(max_size=300)))
def test_every_decoder_reads_what_went_in(name: str, pieces: list[bytes]) -> None:
    assert decompress(name, b"".join(compress(name, pieces, entry_name=UUID))) == b"".join(pieces)


@pytest.mark.parametrize("name", FORMATS)
def test_pieces_larger_than_a_block_are_read_back(name: str) -> None:
    generator = random.Random(5)
    pieces = [generator.randbytes(400_000), b"x" * 700_001, b"", b"tail"]
    assert decompress(name, b"".join(compress(name, pieces, entry_name=UUID))) == b"".join(pieces)


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_input_gives_the_same_object(name: str) -> None:
    pieces = [b'{"ticker":"AAPL"}\n' * 1000] * 3
    first, again = (b"".join(compress(name, pieces, entry_name=UUID)) for _ in range(2))
    assert first == again


@pytest.mark.parametrize("name", FORMATS)
def test_output_comes_while_input_is_still_coming(name: str) -> None:
    """Nothing is gathered first: half of the input is out before the other half is asked for."""
    generator = random.Random(5)
    taken = 0

    def pieces() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(40):
            taken += 1
            yield generator.randbytes(100_000)

    size = 0
    for piece in compress(name, pieces(), entry_name=UUID):
        size += len(piece)
        assert taken * 100_000 - size < 500_000


def test_gzip_is_one_member_without_a_date() -> None:
    data = b"".join(compress("GZIP", [b"a", b"b"]))
    assert data[4:8] == bytes(4)
    assert data.count(b"\x1f\x8b\x08") == 1


def test_hadoop_blocks_fit_its_buffer() -> None:
    data = b"".join(compress("HADOOP_SNAPPY", [random.Random(1).randbytes(1_000_000)]))
    assert max(len(block) for block in hadoop_blocks(data)) < 218_420


def test_a_zip_of_more_than_four_gib_has_zip64_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is lowered instead of four GiB being written: a reader sees fields that it must take from ZIP64."""
    data = b"".join(compress("ZIP", [b"hello " * 100], entry_name=UUID))
    assert b"PK\x06\x06" not in data
    monkeypatch.setattr(compression, "_is_large", lambda *_sizes: True)
    data = b"".join(compress("ZIP", [b"hello " * 100], entry_name=UUID))
    assert b"PK\x06\x06" in data
    assert unzip(data) == b"hello " * 100


def test_extensions() -> None:
    assert [extension(name) for name in FORMATS] == ["", ".gz", ".zip", ".snappy", ".snappy"]


def test_an_unknown_format_is_refused_with_those_known() -> None:
    with pytest.raises(ValueError, match="unknown compression format LZO; known are UNCOMPRESSED, GZIP"):
        compress("LZO", [])
