"""The census: which file is which, after whatever happened to names and contents since the last look."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable

from millstream.agent.config import FlowConfig
from millstream.agent.records import FileId
from millstream.agent.tail.copies import Copies, Former, is_named_like
from millstream.agent.tail.descriptors import Descriptors, Moved
from millstream.agent.tail.file import TailedFile
from millstream.agent.tail.finding import Finder, Key, Place, Warnings
from millstream.agent.tail.fingerprint import Fingerprint
from millstream.agent.tail.ledger import Ledger
from millstream.agent.tail.progress import FileProgress, Ranges
from millstream.base.clock import Clock
from millstream.base.units import KIB

log = logging.getLogger(__name__)

_END_BACK_BYTES = 64 * KIB
"""How far back the beginning of a partial last line is looked for when a file is followed from its end."""
_GONE_QUIET_S = 60.0


class Census:
    """Keeps the ledger in step with the directories. OSErrors are taken for "not now", and warned about."""

    def __init__(self, flow: FlowConfig, progress: Iterable[FileProgress] | None, clock: Clock) -> None:
        """`progress`: None at the flow's first start."""
        self.ledger = Ledger(progress or ())
        self.warnings = Warnings()
        self.finder = Finder(flow.file_pattern, self.warnings)
        self.descriptors = Descriptors()
        self.is_stale = False
        """Whether something was seen that only `refresh` can tell."""
        self.lost_bytes = 0
        self._flow = flow
        self._clock = clock
        self._from_end = progress is None and flow.initial_position == "END_OF_FILE"
        self._is_first_start = progress is None
        self._is_first = True
        self.copies = Copies(self.ledger, clock)
        self._moved = {(saved.file.inode, saved.path): saved for saved in self.ledger.known.values()}

    def refresh(self) -> bool:
        """Look at the directories again; whether a file came, went or was renamed."""
        self.is_stale = False
        found = self.finder.find()
        files = self.ledger.files
        followed = list(files.items())
        # A file may be given up while others are settled: too many were deleted.
        news = [self._settle(file, found.get(key)) for key, file in followed if self.ledger.is_in(file)]
        fresh = {key: place for key, place in found.items() if key not in files}
        if self._is_first:
            fresh.update(self._elsewhere(found))
        # Files that are known first: what they were is what others may be copies of.
        for key in sorted(fresh, key=lambda key: (key not in self.ledger.known, fresh[key].path)):
            news += [self._discover(key, fresh[key])]
        self._settle_copies()
        self._moved.clear()
        self._is_first = self._from_end = False
        return any(news)

    def look(self, file: TailedFile) -> bool:
        """See how long a file is now; whether it has changed. Only `refresh` finds new names."""
        found = self._stat(file)
        if found is None:
            return False
        is_changed = (found.st_size, found.st_mtime_ns) != (file.size, file.mtime_ns)
        is_same_size = found.st_size == file.position and is_changed
        if file.is_shorter_than_known(found.st_size) or (is_same_size and not self._is_itself(file)):
            self.renew(file)
        file.size, file.mtime_ns = found.st_size, found.st_mtime_ns
        if is_changed and self.ledger.is_in(file):
            self.open(file)  # so that what is written to it can be read even if it is deleted before
            file.is_stuck = False
            file.is_to_check = True
            file.changed_at = self._clock.monotonic()
        return is_changed

    def renew(self, file: TailedFile) -> None:
        """The content that was read is no longer there."""
        self.copies.add(Former.of(file))
        self.ledger.renew(file)
        self.is_stale = True
        if not file.gone and not self.finder.is_of_pattern(file.path):
            self._leave(file)  # a name that it had after a rename: what has the inode now is none of ours

    def _stat(self, file: TailedFile) -> os.stat_result | None:
        try:
            if file.gone and file.descriptor is not None:
                return os.fstat(file.descriptor)
            found = os.stat(file.real_path)
            if (found.st_dev, found.st_ino) == file.id[:2]:
                return found
            self.is_stale = True
        except (FileNotFoundError, NotADirectoryError):
            self.is_stale = True
        except OSError as error:
            self.warnings.tell(file.path, f"cannot be looked at ({error.strerror})")
        return None if file.descriptor is None else os.fstat(file.descriptor)

    def open(self, file: TailedFile) -> int | None:
        """A descriptor; None: not now."""
        try:
            descriptor = self.descriptors.of(file)
        except (Moved, FileNotFoundError, NotADirectoryError):
            self.is_stale = True
            return None
        except OSError as error:
            self.warnings.tell(file.path, f"cannot be read ({error.strerror})")
            return None
        self.warnings.well(file.path)
        return descriptor

    def _is_itself(self, file: TailedFile) -> bool:
        descriptor = self.open(file)
        return descriptor is None or file.fingerprint.matches(descriptor)

    def _settle(self, file: TailedFile, place: Place | None) -> bool:
        """Find out what became of a file's name."""
        if file.gone and place is None:
            self._settle_gone(file)
            return False
        if place is None:
            name = self.finder.find_inode(os.path.dirname(file.real_path), file.id.inode)
            place = None if name is None else Place(name, name)
        if place is None:
            return self._lose(file)
        is_renamed = place.path != file.path
        if is_renamed or file.gone:
            file.is_renamed = file.is_renamed or is_renamed
            file.path, file.real_path = place
            file.gone = False
            self.ledger.touch(file)
        return is_renamed

    def _lose(self, file: TailedFile) -> bool:
        """No name is known any more. An open file is read to its end."""
        if file.descriptor is not None:
            file.gone = True
            for other in self.descriptors.excess():
                self._leave(other)
        else:
            self._leave(file)
        return True

    def _settle_gone(self, file: TailedFile) -> None:
        self.look(file)
        quiet_s = self._clock.monotonic() - file.changed_at
        if quiet_s >= _GONE_QUIET_S and (not file.pending_bytes or file.is_stuck):
            self._leave(file)

    def _leave(self, file: TailedFile) -> None:
        if file.pending_bytes:
            self.lost_bytes += file.pending_bytes
            log.warning("%s: was deleted before its last %d bytes were read", file.path, file.pending_bytes)
        self.descriptors.close(file)
        self.ledger.leave(file)

    def _elsewhere(self, found: dict[Key, Place]) -> dict[Key, Place]:
        """Files that were followed before the start and have names now that the pattern does not find."""
        places = {}
        for key, saved in self.ledger.known.items():
            name = None if key in found else self.finder.find_inode(os.path.dirname(saved.path), key[1])
            if name is not None and not self.finder.is_of_pattern(name):
                places[key] = Place(name, name)
        return places

    def _discover(self, key: Key, place: Place) -> bool:
        file = TailedFile(FileId(*key), place.path, place.real_path, self._flow.skip_header_lines)
        found = self._stat(file)
        if found is None:
            return False
        file.changed_at = self._clock.monotonic()
        saved = self.ledger.known.pop(key, None) or self._on_other_device(file)
        if saved is not None:
            file.id = saved.file
        self.ledger.enter(file)
        if saved is not None:
            self._recognise(file, saved, found.st_size)
        elif self._from_end:
            self._begin_at_end(file, found.st_size)
        elif not (self._is_first_start and self._is_first):
            self.copies.suspect(file)
        if self.ledger.is_in(file):
            self.look(file)  # and open it: reading may have to wait for long, and the file be deleted meanwhile
        return True

    def _on_other_device(self, file: TailedFile) -> FileProgress | None:
        """Device numbers change with reboots: same inode, same name, same content is the same file."""
        saved = self._moved.get((file.id.inode, file.path))
        descriptor = None if saved is None else self.open(file)
        if saved is None or descriptor is None:
            return None
        fingerprint = Fingerprint(saved.fingerprint)
        if fingerprint.is_blank or not fingerprint.matches(descriptor):
            return None
        return saved._replace(file=file.id)

    def _recognise(self, file: TailedFile, saved: FileProgress, size: int) -> None:
        file.go_on_from(Ranges(saved.done), Fingerprint(saved.fingerprint))
        file.is_renamed = os.path.basename(saved.path) != os.path.basename(file.path)
        if file.is_shorter_than_known(size) or not self._is_itself(file):
            self.renew(file)

    def _begin_at_end(self, file: TailedFile, size: int) -> None:
        start = size
        descriptor = self.open(file)
        if descriptor is not None:
            start = file.end_for_start(descriptor, size, _END_BACK_BYTES)
            file.fingerprint.take_from(descriptor, start)
        file.done.add(0, start)
        file.position = start

    def _settle_copies(self) -> None:
        """Give what is known of contents that went away to their copies, of the pattern or not."""
        for file in self.copies.waiting():
            for original in self.copies.originals(file):
                self.look(original)
            self.settle_copy(file)
        for former in list(self.copies.formers):
            self._find_copy(former)
        self.copies.forget_formers()

    def settle_copy(self, file: TailedFile) -> None:
        """Find out whether a file that waits is a copy."""
        if not self.ledger.is_in(file):
            self.copies.release(file)
        elif (descriptor := self.open(file)) is not None:
            file.size = os.fstat(descriptor).st_size
            self.copies.settle(file, descriptor, self.open)

    def _find_copy(self, former: Former) -> None:
        for name in self.finder.find_others(former.path):
            key = self.finder.key_of(name) if is_named_like(name, former.path) else None
            if key is None or key in self.ledger.files or key in self.ledger.known:
                continue
            file = TailedFile(FileId(*key), name, name, 0)
            descriptor = self.open(file)
            if descriptor is None:
                continue
            file.size = os.fstat(descriptor).st_size
            if self.copies.adopt(file, descriptor):
                return
            self.descriptors.close(file)
