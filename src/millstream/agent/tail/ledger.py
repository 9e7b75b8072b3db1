"""Who is who: files that are there, files that were, and what of them is done."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from millstream.agent.records import FileId, Span
from millstream.agent.tail.file import TailedFile
from millstream.agent.tail.finding import Key
from millstream.agent.tail.progress import FileProgress, Ranges

_KNOWN_MAX = 20_000
_LEFT_MAX = 1_000
_SAVE_AGAIN_S = 6 * 3600
"""How often everything is saved anew: files that nobody writes to must not expire as long as they are there."""


class Ledger:
    """Files by device and inode, and their progress; bounded, but for the files that are there."""

    def __init__(self, progress: Iterable[FileProgress]) -> None:
        """`progress`: as saved. Of several generations of an inode the last one counts; the others are `superseded`."""
        self.files: dict[Key, TailedFile] = {}
        self.known: dict[Key, FileProgress] = {}
        self.superseded: list[FileProgress] = []
        for saved in sorted(progress, key=lambda saved: saved.mtime_ns):
            before = self.known.get(saved.file[:2])
            if before is None or before.file.generation < saved.file.generation:
                self.known[saved.file[:2]] = saved
                saved_before = before
            else:
                saved_before = saved
            if saved_before is not None:
                self.superseded.append(saved_before)
        _bound(self.known, _KNOWN_MAX)
        self._left: dict[FileId, TailedFile | Ranges] = {}
        self._heirs: dict[FileId, FileId] = {}
        self._dirty: dict[FileId, TailedFile] = {}
        self._save_all_at = 0.0

    def enter(self, file: TailedFile) -> None:
        """A file is there."""
        self.files[file.id[:2]] = file
        self._dirty[file.id] = file

    def is_in(self, file: TailedFile) -> bool:
        """Whether the file has not been left."""
        return self.files.get(file.id[:2]) is file

    def leave(self, file: TailedFile) -> None:
        """A file is no longer there, or no longer followed; what is still under way of it may be done later."""
        del self.files[file.id[:2]]
        self._left[file.id] = file
        self._dirty[file.id] = file
        self.known.pop(file.id[:2], None)
        self.known[file.id[:2]] = file.progress()
        _bound(self._left, _LEFT_MAX)
        _bound(self.known, _KNOWN_MAX)

    def renew(self, file: TailedFile) -> None:
        """A file's content has been replaced: begin it anew, under another id."""
        self._left[file.id] = file.done
        _bound(self._left, _LEFT_MAX)
        self._dirty.pop(file.id, None)
        file.start_over(file.id._replace(generation=file.id.generation + 1))
        self._dirty[file.id] = file

    def inherit(self, heir: FileId, former: FileId) -> None:
        """What is done of `former` from now on is done of `heir`."""
        self._heirs[former] = heir
        _bound(self._heirs, _LEFT_MAX)

    def done(self, span: Span) -> None:
        """Note what is done of a file, wherever its content is by now."""
        while (heir := self._heirs.get(span.file)) is not None:
            self._add(span)
            span = span._replace(file=heir)
        self._add(span)

    def touch(self, file: TailedFile) -> None:
        """There is news to save of a file."""
        self._dirty[file.id] = file

    def changed(self, now: float) -> list[FileProgress]:
        """Progress to save: what changed since the last call, and at times everything. `now`: monotonic seconds."""
        if now >= self._save_all_at:
            self._save_all_at = now + _SAVE_AGAIN_S
            self._dirty.update((file.id, file) for file in self.files.values())
        changed = [file.progress() for file in self._dirty.values()]
        self._dirty.clear()
        for saved in changed:
            if saved.file[:2] not in self.files:
                self.known[saved.file[:2]] = saved
        return changed

    def _add(self, span: Span) -> None:
        file = self.files.get(span.file[:2])
        if file is None or file.id != span.file:
            left = self._left.get(span.file)
            if isinstance(left, Ranges):
                left.add(span.start, span.end)
            file = left if isinstance(left, TailedFile) else None
        if file is not None:
            file.done.add(span.start, span.end)
            self._dirty[span.file] = file


def _bound(entries: dict[Any, Any], entries_max: int) -> None:
    while len(entries) > entries_max:
        del entries[next(iter(entries))]
