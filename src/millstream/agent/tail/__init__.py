"""Tail: follows the files of one flow through rotation, and remembers which of their bytes are done.

Straight-line code over the file system: blocking, without asyncio, of one thread. Flows in: what is appended to files
that match a pattern. Flows out: `Chunk`s of whole records. Promises: nothing written to a followed file is skipped, and
what was reported as `done` and saved is not read again. How it is used:

    progress = checkpoints.load(flow.flow_id)         # None: the flow has never been saved, this is its first start
    tail = Tail(flow, progress, SystemClock())
    tail.refresh()
    checkpoints.save(flow.flow_id, tail.changed())    # also when nothing changed: notes that the flow has been started
    checkpoints.expire(ttl_days)                      # only now: files that are there have just been saved anew
    while True:
        while (chunk := tail.read(bytes_max)) is not None:
            ...                                       # deliver; then, in any order, in parts that end where records do:
            tail.done(Span(chunk.file, start, end))
        checkpoints.save(flow.flow_id, tail.changed())
        # wait for minTimeBetweenFilePolls, or an event: tail.touched(paths)
        # every maxTimeBetweenFileTrackerRefresh: tail.refresh()
    tail.close()

The interface:

    Tail(flow, progress, clock, *, record_bytes_max=None)
    refresh() -> bool              look at the directories again; whether a file came, went or was renamed
    touched(paths) -> None         something happened to these paths (an event): they are looked at by the next `read`
    read(bytes_max, *, final=False) -> Chunk | None
                                   the next records of the file that was written to least recently (then by name):
                                   about `bytes_max` bytes, at least one record. None: nothing now. `final`: partial
                                   last lines and open multi-line records are delivered as they are (--once)
    done(span) -> None             acknowledged, or dropped on purpose. Unknown files are ignored
    changed() -> list[FileProgress]     progress to save: what changed since the last call
    directories() -> set[Path]     what to watch for events (those that exist; each directory by itself)
    files() -> list[FileStatus]    path, size, how far it has been read and is done
    pending_bytes, open_files      how much is unread as of the last look; how many descriptors are open
    counts                         a TailCounts: records cut, bytes cut off, bytes lost to truncation or deletion
    close() -> None                closes all descriptors

A chunk's last record always ends at the chunk's `end`: bytes of no record (headers, footers) count to a record beside
them, and where there is none they are done without being told.

When things are delivered: a line when its line end is there; a multi-line record when the next one begins, or the file
has been quiet for QUIET_MS (5 s) and ends with a line end; a partial last line when the file was truncated; when it was
renamed or deleted and has been quiet for QUIET_MS; or when it has not been written to for STALE_MS (1 h). A new file
that is, so far, the same as one that is followed and has a longer name like it may be a copy about to be made by
copy-truncate: it waits until it differs, until the other was truncated (then reading goes on in it), or until it has
been quiet for COPY_WAIT_MS (10 s; then it is a file of its own).
"""

from __future__ import annotations

from millstream.agent.tail.file import FileStatus
from millstream.agent.tail.pattern import PatternError
from millstream.agent.tail.progress import FileProgress
from millstream.agent.tail.tail import Tail, TailCounts

__all__ = ["FileProgress", "FileStatus", "PatternError", "Tail", "TailCounts"]
