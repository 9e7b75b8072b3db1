"""What a Redshift destination knows of a warehouse: that objects can be copied into it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from millstream.firehose.ports import DeliveryError
from millstream.objects.threads import until

ERRORS_KEPT = 10
"""How many bad rows are told of; all are counted."""


class Load(NamedTuple):
    """An object to copy. `pieces` gives its bytes, not compressed, whatever the object itself is."""

    bucket: str
    key: str
    pieces: Callable[[], Iterator[bytes]]

    @property
    def url(self) -> str:
        """The object's URL."""
        return f"s3://{self.bucket}/{self.key}"

    def until(self, stop: threading.Event) -> Load:
        """The same load, which ends with objects.threads.Stopped once `stop` is set."""
        return self._replace(pieces=lambda: until(stop, self.pieces()))


class RowError(NamedTuple):
    """Why a row was not loaded, as in Redshift's STL_LOAD_ERRORS. Rows count from 1."""

    row: int
    column: str
    value: str
    reason: str

    def __str__(self) -> str:
        where = f"row {self.row}, column {self.column}" if self.column else f"row {self.row}"
        return f"{where}: {self.reason} (value {self.value!r})"


class LoadResult(NamedTuple):
    """What a COPY did. `repeated`: the object had been loaded before, and nothing was done."""

    rows_loaded: int
    rows_rejected: int = 0
    errors: tuple[RowError, ...] = ()
    repeated: bool = False


class LoadFailed(DeliveryError):
    """Too many rows were bad (MAXERROR), and none were loaded (Redshift.DataLoadFailed)."""

    def __init__(self, errors: list[RowError]) -> None:
        told = "; ".join(str(error) for error in errors[:ERRORS_KEPT])
        super().__init__(
            "Redshift.DataLoadFailed",
            f"Loading data into the table failed, and nothing was loaded: {told}. "
            "Correct the table or the COPY options, or let bad rows be skipped with MAXERROR.",
        )
        self.errors = errors


class Warehouse(Protocol):
    """Copies objects into one table, by one COPY command."""

    async def copy(self, load: Load) -> LoadResult:
        """Load an object, whole or not at all, committed on return; once, as far as the warehouse can tell.

        Raises DeliveryError with AWS's codes (Redshift.TableNotFound, Redshift.ConnectionFailed, …), LoadFailed.
        """
        ...
