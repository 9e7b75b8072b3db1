"""What is delivered, read as docs/firehose.md shows it: by DuckDB and pyarrow, from the directory of a live server."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.json

from support.commandline import CommandLine
from support.livedelivery import LiveDelivery

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.server import Server

COUNT = 600
ORDERS = [f'{{"id": {n}, "customer": "c{n % 7}", "total": {n}.25}}' for n in range(COUNT)]
TABLE = "CREATE TABLE shop.orders (id bigint, customer string, total double)"
XERIAL_HEADER_BYTES = 16


def deliver(command: CommandLine, bucket: Path, *options: str) -> None:
    """Deliver the orders to `bucket` as the options say."""
    command("deliver", "create", "orders", "--to", f"s3://{bucket.name}/orders", *options)
    command("deliver", "put", "orders", "--file", lines="\n".join(ORDERS))
    command("deliver", "flush", "orders")


def query(text: str) -> list[tuple[object, ...]]:
    """What DuckDB answers, with a connection that knows nothing."""
    with duckdb.connect() as connection:
        return connection.execute(text).fetchall()


def test_parquet_follows_its_table(command: CommandLine, bucket: Path) -> None:
    command("tables", "load", lines=TABLE)
    deliver(command, bucket, "--parquet", "shop.orders")
    files = f"{bucket}/orders/**/*.parquet"
    assert query(f"SELECT count(*), sum(id), min(customer), sum(total) FROM '{files}'") == [
        (COUNT, sum(range(COUNT)), "c0", sum(n + 0.25 for n in range(COUNT)))
    ]

    widened = TABLE.replace("total double", "total double, coupon string")
    assert command("tables", "load", lines=widened).stdout == "shop.orders is changed\n"
    command("deliver", "put", "orders", '{"id": 1000, "customer": "c0", "total": 5, "coupon": "SPRING"}')
    command("deliver", "flush", "orders")
    assert query(f"SELECT count(*), max(coupon) FROM read_parquet('{files}', union_by_name=true)") == [
        (COUNT + 1, "SPRING")
    ]
    schema = pa.schema([("id", pa.int64()), ("coupon", pa.string())])
    table = ds.dataset(bucket / "orders", schema=schema).to_table(filter=ds.field("id") >= COUNT - 1)
    assert sorted(table.to_pydict()["coupon"], key=str) == [None, "SPRING"]


def test_orc(command: CommandLine, bucket: Path) -> None:
    command("tables", "load", lines=TABLE)
    deliver(command, bucket, "--orc", "shop.orders")
    table = ds.dataset(bucket / "orders", format="orc").to_table()
    assert table.column_names == ["id", "customer", "total"]
    assert sorted(table.to_pydict()["id"]) == list(range(COUNT))


def test_gzip_json(command: CommandLine, bucket: Path) -> None:
    deliver(command, bucket, "--gzip", "--newline")
    assert query(f"SELECT count(*), sum(id), count(DISTINCT customer) FROM read_json('{bucket}/orders/**/*.gz')") == [
        (COUNT, sum(range(COUNT)), 7)
    ]


def test_json_without_newlines(command: CommandLine, bucket: Path) -> None:
    deliver(command, bucket)
    files = f"'{bucket}/orders/**/orders-*', format = 'unstructured'"
    assert query(f"SELECT count(*), sum(id) FROM read_json({files})") == [(COUNT, sum(range(COUNT)))]


def test_zip(command: CommandLine, bucket: Path) -> None:
    deliver(command, bucket, "--zip", "--newline")
    (path,) = (bucket / "orders").rglob("*.zip")
    with zipfile.ZipFile(path) as archive:
        (name,) = archive.namelist()
        with archive.open(name) as entry:
            # `deliver put` has several batches under way: a file's lines may come in any order of batches
            assert sorted(pyarrow.json.read_json(entry).to_pydict()["id"]) == list(range(COUNT))


def test_hadoop_snappy(server: Server) -> None:
    # what Hadoop and Spark read by the end of its name; there is no option for it on the command line
    delivery = LiveDelivery(server)
    delivery.create(ExtendedS3DestinationConfiguration=delivery.s3(CompressionFormat="HADOOP_SNAPPY"))
    delivery.put(*(f"{order}\n".encode() for order in ORDERS))
    delivery.flush()
    ((key, content),) = delivery.objects().items()
    assert key.endswith(".snappy")
    assert pyarrow.json.read_json(io.BytesIO(b"".join(plain_of_hadoop(content)))).num_rows == COUNT


def plain_of_hadoop(content: bytes) -> Iterator[bytes]:
    """As Hadoop's BlockDecompressorStream reads: the plain size of a block, then the sizes and bytes of its chunks."""
    position = 0
    while position < len(content):
        left = int.from_bytes(content[position : position + 4], "big")
        position += 4
        while left:
            end = position + 4 + int.from_bytes(content[position : position + 4], "big")
            chunk = content[position + 4 : end]
            yield pa.decompress(chunk, decompressed_size=plain_size(chunk), codec="snappy", asbytes=True)
            left -= plain_size(chunk)
            position = end


def test_snappy(command: CommandLine, bucket: Path) -> None:
    deliver(command, bucket, "--snappy", "--newline")
    lines: list[str] = []
    for path in (bucket / "orders").rglob("*.snappy"):
        lines += plain_of_xerial(path.read_bytes()).decode().splitlines()
    assert lines == ORDERS


def plain_of_xerial(content: bytes) -> bytes:
    """As snappy-java frames: a header, then blocks, each after its size, which begin with their plain text's."""
    plain, position = b"", XERIAL_HEADER_BYTES
    while position < len(content):
        size = int.from_bytes(content[position : position + 4], "big")
        block = content[position + 4 : position + 4 + size]
        plain += pa.decompress(block, decompressed_size=plain_size(block), codec="snappy", asbytes=True)
        position += 4 + size
    return plain


def plain_size(block: bytes) -> int:
    """The length that a Snappy block begins with, in groups of seven bits."""
    size = shift = 0
    for byte in block:
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return size
