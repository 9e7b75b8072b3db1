"""How far the delivery of a delivery stream has come: the worker's checkpoint, which the api process only reads.

    log     ──────────┬───────────────────────────┬──────────►
                   position                   read so far
             all delivered │ some delivered: `done` says up to where, lane by lane;
                           │ `parcels` are cut and recorded, and perhaps on their way

A start reads the log again from `position`. A record at log position p of lane L
- belongs to the recorded parcel of L whose range has p, if there is one: it will be delivered as that parcel again;
- else, if p is below `done[L]`, was delivered;
- else is buffered anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import msgspec

from millstream.catalog import SqliteCatalog
from millstream.firehose.ports import Lane

T = TypeVar("T")

KIND = "delivery-progress"
"""The catalog's kind of progress documents; their name is `<delivery stream id>/<delivery>`."""

MAIN_DELIVERY = "main"
BACKUP_DELIVERY = "backup"
FUNCTION_STAGE = "function"
"""In place of a delivery: how far the function stage has read the source. While it is there, the main delivery's
position is one of the journal, not of the source."""


class RecordedParcel(msgspec.Struct, frozen=True):
    """A parcel that was cut: the records of `lane` in the log from `start` to `end` (exclusive)."""

    parcel_id: str
    lane: Lane
    key: str
    start: int
    end: int


class Counters(msgspec.Struct, frozen=True):
    """What was delivered since the delivery stream was made (at least; what a crash kept from being saved is lost)."""

    delivered_records: int = 0
    delivered_bytes: int = 0
    failed_records: int = 0
    parcels: int = 0
    last_delivered_ms: int | None = None
    oldest_waiting_ms: int | None = None  # arrival of the oldest record that is read but not delivered
    last_error: str | None = None
    last_error_ms: int | None = None


class Progress(msgspec.Struct, frozen=True):
    """One delivery's checkpoint.

    `version` is the delivery stream's version; `routing` stands for all of its configuration that decides which records
    go into which lanes, `place` for what decides where parcels are delivered, and as what.
    `of_journal`: positions are those of the journal of a function's results, not of the source.
    """

    position: int
    of_journal: bool = False
    version: int = 1
    routing: str = ""
    place: str = ""
    done: list[tuple[Lane, int]] = []
    parcels: list[RecordedParcel] = []
    counters: Counters = Counters()


def read_saved(path: Path, kind: type[T]) -> Mapping[str, Mapping[str, T]]:
    """Blocking. All progress in the worker's catalog at `path`, by the delivery stream's id and the delivery's name.

    Nothing if no worker ever ran. `kind` is Progress, or a struct of fewer members. Raises CatalogError.
    """
    decode = msgspec.json.Decoder(kind).decode
    found: dict[str, dict[str, T]] = defaultdict(dict)
    if path.exists():
        with closing(SqliteCatalog(path, read_only=True)) as catalog:
            for document in catalog.list(KIND):
                stream_id, _, delivery = document.name.rpartition("/")
                found[stream_id][delivery] = decode(document.body)
    return found
