"""Object stores in memory, which fail as a test wants."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from millstream.objects.names import check_bucket_name, check_key
from millstream.objects.port import PLAIN, Attributes, ObjectInfo, ObjectMissing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable


class MemoryStores:
    """Buckets in memory. Each of the next puts raises one of `faults` (None: no fault); with `applied` set they lie."""

    def __init__(self) -> None:
        self.objects: defaultdict[str, dict[str, bytes]] = defaultdict(dict)
        self.attributes: dict[str, Attributes] = {}
        self.faults: list[Exception | None] = []
        self.puts: list[str] = []

    def bucket(self, name: str) -> MemoryBucket:
        """The bucket of that name. Raises StoreError."""
        check_bucket_name(name)
        return MemoryBucket(self, name)


class MemoryBucket:
    """One bucket."""

    def __init__(self, stores: MemoryStores, name: str) -> None:
        self._stores = stores
        self._objects = stores.objects[name]

    async def put(self, key: str, body: Callable[[], Iterable[bytes]], attributes: Attributes = PLAIN) -> int:
        check_key(key)
        self._stores.puts.append(key)
        content = b"".join(body())
        fault = self._stores.faults.pop(0) if self._stores.faults else None
        if fault is None or getattr(fault, "applied", False):
            self._objects[key] = content
            self._stores.attributes[key] = attributes
        if fault is not None:
            raise fault
        return len(content)

    async def get(self, key: str) -> bytes:
        if key not in self._objects:
            raise ObjectMissing("NoSuchKey", f"no object {key}")
        return self._objects[key]

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        for key in sorted(self._objects):
            if key.startswith(prefix):
                yield ObjectInfo(key, len(self._objects[key]), 0)

    async def delete(self, key: str) -> None:
        self._objects.pop(key, None)
