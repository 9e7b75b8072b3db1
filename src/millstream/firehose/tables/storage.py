"""Files of Iceberg tables in the object store: pyiceberg's FileIO over `objects`, for locations s3://bucket/key.

pyiceberg blocks, the object store is asyncio's: files are read and written in a thread, by calls into the event loop.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Coroutine
from typing import Any, TypeVar

from pyiceberg.io import FileIO, InputFile, InputStream, OutputFile, OutputStream

from millstream.objects.port import Bucket, ObjectMissing, ObjectStores

_T = TypeVar("_T")


class StoreIO(FileIO):
    """Files in an object store. Used in threads, never in the one of `loop`."""

    def __init__(self, stores: ObjectStores, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._stores = stores
        self._loop = loop

    def new_input(self, location: str) -> InputFile:
        """A file to read."""
        return _StoreFile(location, self)

    def new_output(self, location: str) -> OutputFile:
        """A file to write."""
        return _StoreFile(location, self)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """Delete a file; one that is not there is fine."""
        bucket, key = self._object(location if isinstance(location, str) else location.location)
        self._wait(bucket.delete(key))

    def read(self, location: str) -> bytes:
        """All of a file. Raises FileNotFoundError, StoreError."""
        bucket, key = self._object(location)
        try:
            return self._wait(bucket.get(key))
        except ObjectMissing as error:
            raise FileNotFoundError(location) from error

    def write(self, location: str, data: bytes) -> None:
        """Write a whole file, replacing what there is. Raises StoreError."""
        bucket, key = self._object(location)
        self._wait(bucket.put(key, lambda: [data]))

    def _object(self, location: str) -> tuple[Bucket, str]:
        name, _, key = location.removeprefix("s3://").partition("/")
        return self._stores.bucket(name), key

    def _wait(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


class _StoreFile(InputFile, OutputFile):
    """One file. Data files are about as large as a delivery stream's buffer: they are written in one piece."""

    def __init__(self, location: str, io_: StoreIO) -> None:
        super().__init__(location)
        self._io = io_
        self._written: int | None = None

    def __len__(self) -> int:
        return len(self._io.read(self.location)) if self._written is None else self._written

    def exists(self) -> bool:
        try:
            self._io.read(self.location)
        except FileNotFoundError:
            return False
        return True

    def open(self, seekable: bool = True) -> InputStream:  # noqa: ARG002
        return io.BytesIO(self._io.read(self.location))

    def to_input_file(self) -> InputFile:
        return self

    def create(self, overwrite: bool = False) -> OutputStream:
        if not overwrite and self.exists():
            raise FileExistsError(self.location)
        return _Upload(self)

    def put(self, data: bytes) -> None:
        """Put what was written."""
        self._io.write(self.location, data)
        self._written = len(data)


class _Upload(io.BytesIO):
    """What is written to a file, put when it is closed."""

    def __init__(self, file: _StoreFile) -> None:
        super().__init__()
        self._file = file

    def close(self) -> None:
        if not self.closed:
            data = self.getvalue()
            super().close()  # first: a put that fails must not be made again by whoever closes for good measure
            self._file.put(data)

    def __del__(self) -> None:
        """Whatever was not closed was given up. Putting it here might wait, in the loop's own thread, for the loop."""
        super().close()
