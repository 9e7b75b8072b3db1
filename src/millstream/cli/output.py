"""Records as people and programs read them on standard output."""

from __future__ import annotations

import base64
import datetime as dt
import json
import sys
from typing import Any


class RecordPrinter:
    """Prints records, and knows when `limit` of them (None: no limit) are printed.

    Raw: the data of a record and a line end. Otherwise: a JSON document a record, coloured for a terminal, whose data
    is JSON if the record's is, else text, else base64.
    """

    def __init__(self, *, raw: bool, limit: int | None) -> None:
        self._write = _write_raw if raw else _write_coloured if sys.stdout.isatty() else _write_json
        self._left = limit

    def print(self, shard_id: str, records: list[dict[str, Any]]) -> bool:
        """Print records as GetRecords has them; True once the limit is reached."""
        if self._left is not None:
            records = records[: self._left]
            self._left -= len(records)
        for record in records:
            self._write(shard_id, record)
        sys.stdout.flush()
        return self._left == 0


def document(shard_id: str, record: dict[str, Any]) -> dict[str, Any]:
    """What is shown of a record."""
    arrival = dt.datetime.fromtimestamp(record["ApproximateArrivalTimestamp"], dt.UTC).astimezone()
    return {
        "shard": shard_id,
        "sequence_number": record["SequenceNumber"],
        "partition_key": record["PartitionKey"],
        "arrival": arrival.isoformat(timespec="milliseconds"),
        **_data_member(base64.b64decode(record["Data"])),
    }


def _data_member(data: bytes) -> dict[str, Any]:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return {"data_base64": base64.b64encode(data).decode()}
    try:
        return {"data": json.loads(text)}
    except ValueError:
        return {"data": text}


def _write_raw(_shard_id: str, record: dict[str, Any]) -> None:
    sys.stdout.buffer.write(base64.b64decode(record["Data"]) + b"\n")


def _write_json(shard_id: str, record: dict[str, Any]) -> None:
    print(json.dumps(document(shard_id, record), indent=2, ensure_ascii=False))


def _write_coloured(shard_id: str, record: dict[str, Any]) -> None:
    from rich import print_json  # noqa: PLC0415 - only where somebody looks

    print_json(data=document(shard_id, record), ensure_ascii=False)
