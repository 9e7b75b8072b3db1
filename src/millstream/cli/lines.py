"""Reading lines from a file or a pipe without holding up the event loop, and without holding back what has come."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError
from typing import Protocol

CHUNK_BYTES = 1 << 20
CHUNKS_AHEAD = 4


class Source(Protocol):
    """An unbuffered file: `read` waits for some bytes, and gives none at the end."""

    def read(self, size: int, /) -> bytes | None: ...


async def read_lines(file: Source) -> AsyncIterator[list[bytes]]:
    """Lists of lines, without line ends and without empty lines, as soon as the file or pipe has them.

    A thread of its own reads, so that an interrupt need not wait for a pipe that stays silent; and it reads without a
    buffer, whose lock it would still hold then.
    """
    loop = asyncio.get_running_loop()
    chunks: asyncio.Queue[list[bytes] | OSError | None] = asyncio.Queue(CHUNKS_AHEAD)

    def hand_over(item: list[bytes] | OSError | None) -> None:
        asyncio.run_coroutine_threadsafe(chunks.put(item), loop).result()

    def read() -> None:
        rest = b""
        try:
            while chunk := file.read(CHUNK_BYTES):
                *lines, rest = (rest + chunk).split(b"\n")
                if lines := _without_line_ends(lines):
                    hand_over(lines)
            if rest:
                hand_over(_without_line_ends([rest]))
            hand_over(None)
        except OSError as error:
            hand_over(error)
        except (RuntimeError, CancelledError):  # the loop has ended: nobody listens any more
            return

    threading.Thread(target=read, daemon=True).start()
    while (item := await chunks.get()) is not None:
        if isinstance(item, OSError):
            raise item
        yield item


def _without_line_ends(lines: list[bytes]) -> list[bytes]:
    stripped = (line.removesuffix(b"\r") for line in lines)
    return [line for line in stripped if line]
