"""Buckets as directories of this machine: `<directory>/<bucket>/<key>`.

A put writes a temporary file inside the bucket (`.%uploads/`, which no key is kept under), syncs it, renames it to its
place, and syncs the directories on the way. So a reader, whatever the tool, sees whole objects only, under names that
`localpaths` explains. Content types and encodings are not kept; an object is as private as the directory.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from millstream.objects.localpaths import ASIDE, UPLOADS, key_of, path_of
from millstream.objects.names import check_bucket_name, check_key
from millstream.objects.port import PLAIN, Attributes, ObjectInfo, ObjectMissing, StoreError
from millstream.objects.threads import in_thread, until

_SYNCED_MAX = 10_000
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


class LocalStores:
    """Buckets below `directory`; each is made when the first object is put into it.

    What uploads have left behind that a crash interrupted is removed; those of a live process are let be.
    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)
        self._buckets: dict[str, LocalBucket] = {}
        for uploads in self.directory.glob(f"*/{UPLOADS}"):
            _remove_leftovers(uploads)

    def bucket(self, name: str) -> LocalBucket:
        """The bucket of that name. Raises StoreError (InvalidBucketName)."""
        if name not in self._buckets:
            check_bucket_name(name)
            self._buckets[name] = LocalBucket(self.directory / name)
        return self._buckets[name]


class LocalBucket:
    """One directory of objects. Safe to use from several tasks and threads of one process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()  # names: what a path stands for does not change while one is at it
        self._synced: set[Path] = set()  # directories whose own names are on disk

    async def put(self, key: str, body: Callable[[], Iterable[bytes]], attributes: Attributes = PLAIN) -> int:  # noqa: ARG002
        """Put an object; `attributes` are not kept. See `Bucket.put`."""
        check_key(key)
        return await in_thread(lambda stop: self._put(key, until(stop, body())))

    async def get(self, key: str) -> bytes:
        """The bytes of an object. Raises ObjectMissing."""
        check_key(key)
        return await in_thread(lambda _: self._get(key))

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        """The objects whose keys begin with `prefix`, by key; looked up at once, when the first one is asked for."""
        for info in await in_thread(lambda _: sorted(self._list(prefix))):
            yield info

    async def delete(self, key: str) -> None:
        """Delete an object; one that is not there is fine."""
        check_key(key)
        await in_thread(lambda _: self._delete(key))

    def _put(self, key: str, pieces: Iterable[bytes]) -> int:
        uploads = self._path / UPLOADS
        with _translated(uploads):
            uploads.mkdir(parents=True, exist_ok=True)
        upload = _Upload(uploads / uuid.uuid4().hex)
        try:
            upload.fill(pieces)
            self._publish(upload, self._path.joinpath(*path_of(key)))
        except BaseException:
            upload.discard()
            raise
        finally:
            upload.close()
        return upload.size_bytes

    def _publish(self, upload: _Upload, path: Path) -> None:
        with _translated(path), self._lock:
            try:
                self._place(upload, path)
            except FileNotFoundError:  # somebody has removed a directory that we had made
                self._synced.clear()
                self._place(upload, path)
        with _translated(path):
            _sync_directory(path.parent)

    def _place(self, upload: _Upload, path: Path) -> None:
        self._make_directories(path.parent)
        if path.is_dir():
            os.replace(upload.path, _aside(path))
        else:
            os.replace(upload.path, path)
            _aside(path).unlink(missing_ok=True)

    def _make_directories(self, directory: Path) -> None:
        """Make the directory durably, moving objects that are in the way aside."""
        if directory in self._synced:
            return
        if directory != self._path.parent:
            self._make_directories(directory.parent)
        if not directory.is_dir():
            with contextlib.suppress(FileNotFoundError):
                os.replace(directory, _aside(directory))
            directory.mkdir()
        _sync_directory(directory.parent)
        if len(self._synced) >= _SYNCED_MAX:
            self._synced.clear()
        self._synced.add(directory)

    def _find(self, key: str) -> Path | None:
        path = self._path.joinpath(*path_of(key))
        return next((candidate for candidate in (path, _aside(path)) if candidate.is_file()), None)

    def _get(self, key: str) -> bytes:
        with _translated(self._path), self._lock:
            path = self._find(key)
            file = path and path.open("rb")
        if not file:
            raise ObjectMissing("NoSuchKey", f"{self._path.name} has no object {key!r}")
        with _translated(self._path), file:
            return file.read()

    def _delete(self, key: str) -> None:
        with _translated(self._path), self._lock:
            while path := self._find(key):
                path.unlink()
                _sync_directory(path.parent)

    def _list(self, prefix: str) -> Iterator[ObjectInfo]:
        whole = prefix.rpartition("/")[0]
        top = self._path.joinpath(*path_of(whole)) if whole else self._path
        for directory, directories, files in os.walk(top):
            directories[:] = [name for name in directories if name != UPLOADS]
            names = Path(directory).relative_to(self._path).parts
            for file in files:
                key = key_of([*names, file])
                if key is not None and key.startswith(prefix):
                    with contextlib.suppress(FileNotFoundError):  # it went while we looked
                        state = os.stat(os.path.join(directory, file))
                        yield ObjectInfo(key, state.st_size, state.st_mtime_ns // 1_000_000)


class _Upload:
    """A file that becomes an object. Locked while it is written: nobody takes it for a leftover."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size_bytes = 0
        with _translated(path):
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            fcntl.flock(self._fd, fcntl.LOCK_EX)

    def fill(self, pieces: Iterable[bytes]) -> None:
        """Write everything, and sync it."""
        for piece in pieces:
            with _translated(self.path):
                self._write(piece)
        with _translated(self.path):
            os.fdatasync(self._fd)

    def _write(self, piece: bytes) -> None:
        left = memoryview(piece)
        while left:
            written = os.write(self._fd, left)
            self.size_bytes += written
            left = left[written:]

    def discard(self) -> None:
        """Remove the file, unless it has become an object already."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)


def _aside(path: Path) -> Path:
    return path.with_name(path.name + ASIDE)


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _remove_leftovers(uploads: Path) -> None:
    with contextlib.suppress(OSError):  # what cannot be removed does no harm
        for path in uploads.iterdir():
            with path.open("rb") as file, contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _store_error(path, error) from error


def _store_error(path: Path, error: OSError) -> StoreError:
    problem = f"{error.filename or path}: {error.strerror or error}"
    if error.errno in _FULL:
        return StoreError("InsufficientStorage", f"{problem}; free some space, and delivery goes on by itself")
    if error.errno in _FORBIDDEN:
        return StoreError("AccessDenied", f"{problem}; let the server's user write there")
    return StoreError("InternalError", problem)
