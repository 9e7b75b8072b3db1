"""Running a jq query in a process of its own, which a query that never ends, or builds something huge, cannot leave.

    worker ─[now, records]─► child ─[object or error, …]─► worker          each as length (4 bytes) | MessagePack

jq can neither be interrupted nor be bounded where it runs, and holds Python's interpreter lock meanwhile: one query
would stop all delivery streams. The kernel bounds the child: its memory, and its processor time for each request.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import weakref
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Any

import msgspec

from millstream.base.units import MIB
from millstream.firehose.processing.jqquery import JqQuery, QueryError

PROCESSOR_S_MAX = 1
MEMORY_BYTES_MAX = 512 * MIB

_MODULE = "millstream.firehose.processing.jqprocess"
_LENGTH = struct.Struct("<I")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.decode


class JqProcess:
    """A compiled query, as JqQuery. The child is started when it is first needed, and ends with this object."""

    def __init__(self, query: str) -> None:
        JqQuery(query)  # raises QueryError
        self._query = query
        self._child: subprocess.Popen[bytes] | None = None

    def run_all(self, records: Sequence[bytes], now_s: float) -> list[dict[str, Any] | QueryError]:
        """Blocking. What the query makes of each record, or why it makes nothing of it."""
        answers = self._ask(records, now_s)
        if answers is not None:
            return [QueryError(answer) if isinstance(answer, str) else answer for answer in answers]
        if len(records) > 1:  # find out which it is: the others are not to suffer
            return [self.run_all([record], now_s)[0] for record in records]
        return [
            QueryError(
                f"the query takes more than {PROCESSOR_S_MAX} s of processor time, or more than "
                f"{MEMORY_BYTES_MAX // MIB} MiB of memory, for this record"
            )
        ]

    def _ask(self, records: Sequence[bytes], now_s: float) -> list[dict[str, Any] | str] | None:
        """The child's answer; None if it did not survive."""
        child = self._child or self._start()
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            _send(child.stdin, (now_s, records))
            answer: list[dict[str, Any] | str] | None = _receive(child.stdout)
        except OSError:
            answer = None
        if answer is None:
            self._ending()
            self._child = None
        return answer

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", _MODULE, self._query]
        environment = {name: value for name, value in os.environ.items() if name.startswith("PYTHON")}
        child = subprocess.Popen(  # noqa: S603 - this module, and no shell
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # jq's last words
            env=environment,
        )
        self._child = child
        self._ending = weakref.finalize(self, _end, child)
        return child


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    for pipe in (child.stdin, child.stdout):
        with suppress(OSError):  # what it was not told any more
            pipe.close()  # type: ignore[union-attr]
    child.wait()


def _send(pipe: IO[bytes], message: Any) -> None:
    body = _encode(message)
    pipe.write(_LENGTH.pack(len(body)) + body)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> Any:
    """The next message; None at the end."""
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (size,) = _LENGTH.unpack(head)
    body = pipe.read(size)
    return _decode(body) if len(body) == size else None


def _answer(query: JqQuery, record: bytes, now_s: float) -> dict[str, Any] | str:
    try:
        return query.run(record, now_s)
    except QueryError as error:
        return str(error)


def _serve() -> None:
    """The child: answer until the parent is gone."""
    import resource  # noqa: PLC0415 - of the child only

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    query = JqQuery(sys.argv[1])
    while (message := _receive(sys.stdin.buffer)) is not None:
        now_s, records = message
        used = resource.getrusage(resource.RUSAGE_SELF)
        until_s = int(used.ru_utime + used.ru_stime) + 1 + PROCESSOR_S_MAX
        resource.setrlimit(resource.RLIMIT_CPU, (until_s, resource.RLIM_INFINITY))  # then comes SIGXCPU
        _send(sys.stdout.buffer, [_answer(query, record, now_s) for record in records])


if __name__ == "__main__":
    _serve()
