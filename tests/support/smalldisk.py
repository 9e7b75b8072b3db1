"""A small file system for processes that are to meet a full one."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class SmallDisk(NamedTuple):
    """A small file system that only processes started `inside` see; others find it under `outside`."""

    path: Path
    inside: list[str]
    outside: Path


@contextmanager
def small_disk(path: Path, size_mib: int) -> Iterator[SmallDisk]:
    """A file system at `path` in a mount namespace of its own: it goes with the process that holds it."""
    path.mkdir()
    as_root = os.geteuid() == 0
    unshare = ["unshare", "--mount", *([] if as_root else ["--user", "--map-root-user"])]
    mount = f"mount -t tmpfs -o size={size_mib}m tmpfs '{path}' && echo ready && exec sleep infinity"
    with subprocess.Popen([*unshare, "sh", "-c", mount], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            if holder.stdout.readline() != b"ready\n":
                pytest.skip("this machine lets nobody mount a file system in a namespace")
            enter = ["nsenter", "--target", str(holder.pid), "--mount"]
            enter += [] if as_root else ["--user", "--preserve-credentials"]
            yield SmallDisk(path, enter, type(path)(f"/proc/{holder.pid}/root{path}"))
        finally:
            holder.kill()
