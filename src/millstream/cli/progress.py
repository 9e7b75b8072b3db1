"""A progress bar on standard error, where somebody sees it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Show = Callable[[int, int], None]
"""Tells of progress: so many records and so many bytes of input more."""


@contextmanager
def progress(size_bytes: int | None) -> Iterator[Show]:
    """Shows progress through an input of `size_bytes` (None: nobody knows) until the context ends."""
    if not sys.stderr.isatty():
        yield lambda _records, _size_bytes: None
        return
    from rich.console import Console  # noqa: PLC0415 - nobody waits for it who does not see it
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TransferSpeedColumn  # noqa: PLC0415

    columns = (
        BarColumn(),
        TextColumn("{task.fields[records]:,} records"),
        TransferSpeedColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("put", total=size_bytes, records=0)
        total = 0

        def show(records: int, size_bytes: int) -> None:
            nonlocal total
            total += records
            bar.update(task, advance=size_bytes, records=total)

        yield show
