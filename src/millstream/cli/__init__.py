"""CLI: the command `millstream`.

Flows in: arguments, the environment, standard input. Flows out: text for people, JSON for programs, an exit code.
`up` runs the server; every other command but `log check` speaks the public API only, as anybody's program would.
Promises: an error is one line that says what to do; commands start quickly, because each imports what it needs when it
runs.
"""

from __future__ import annotations

import os
import sys

from millstream.base.errors import MillstreamError
from millstream.cli.errors import UsageError


def main() -> None:
    """The entry point of `millstream`. Exits 0, 1 for an error, 2 for wrong usage, 130 when interrupted."""
    from millstream.cli.app import app  # noqa: PLC0415 - so that an interrupt while importing is quiet, too

    try:
        app()
    except MillstreamError as error:
        print(f"millstream: {error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, UsageError) else 1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
