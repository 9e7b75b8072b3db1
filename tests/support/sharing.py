"""Servers that take long to start: the test processes of a run share one, which ends when no process uses it any more.

    test process ── shared lock ─┐
    test process ── shared lock ─┼─ users       state: what a process must know of the server
    keeper ── waits for all of it ┘               └─ the keeper ends the server, then both are as if it never was

The kernel lets go of a lock when its process ends, however it ends: a server outlives no run.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pytest

TEST_PROCESS = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
"""Tells names of things in a shared server from those that other test processes make there."""


class Keeper(NamedTuple):
    """What starts the server of `directory`, for as long as it is in use."""

    directory: Path

    def run(self, command: Sequence[str], **environment: str) -> Callable[[], bool]:
        """Run the server; what this gives fails when the server has ended, and is never true."""
        output = self.directory / "output"
        with output.open("wb") as log:
            keeper = os.posix_spawn(  # no Popen: the process that starts the server may be gone before it
                sys.executable,
                [sys.executable, "-IS", __file__, str(self.directory), *command],
                os.environ | environment,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    *((os.POSIX_SPAWN_DUP2, log.fileno(), number) for number in (1, 2)),
                ],
                setsid=True,
            )

        def ended() -> bool:
            gone, _ = os.waitpid(keeper, os.WNOHANG)
            assert not gone, f"{command[0]} ended at start:\n{output.read_text(errors='replace')[-4000:]}"
            return False

        return ended


@contextmanager
def shared(factory: pytest.TempPathFactory, name: str, start: Callable[[Keeper], Any]) -> Iterator[Any]:
    """What `start` made of JSON, in this process or another one of the run."""
    run = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        run = run.parent
    with (run / f"{name}.users").open("w") as users, (run / f"{name}.start").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)
        directory = run / name
        state = directory / "state"
        if not state.exists():
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir()
            state.write_text(json.dumps(start(Keeper(directory))))
        fcntl.flock(turn, fcntl.LOCK_UN)
        yield json.loads(state.read_text())


def _keep(directory: Path, command: Sequence[str]) -> None:
    """The keeper: runs the server until nobody uses it."""
    server = subprocess.Popen(command, cwd=directory)
    ending = threading.Event()

    def watch() -> None:
        server.wait()
        if not ending.is_set():  # by itself: who comes now starts another one
            (directory / "state").unlink(missing_ok=True)
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    with directory.with_suffix(".users").open() as users:
        fcntl.flock(users, fcntl.LOCK_EX)
        ending.set()
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    _keep(Path(sys.argv[1]), sys.argv[2:])
