"""Buckets of AWS, or of any other store that speaks S3.

Uploads go through obstore, in one request or, above 5 MiB, in several parts of that size, of which a few are held in
memory. Everything else goes through botocore, and so do uploads under keys that obstore would change (`/a`, `a//b`,
`a/../b`, a control character). Neither tries again for long: that is for the caller, who knows how long it makes sense.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from itertools import chain
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import botocore.exceptions
import obstore
from obstore.exceptions import BaseError

from millstream.base.units import MIB
from millstream.objects.names import check_bucket_name, check_key
from millstream.objects.port import PLAIN, Attributes, ObjectInfo, ObjectMissing, StoreError
from millstream.objects.s3access import Access
from millstream.objects.s3errors import from_botocore, from_obstore, store_error
from millstream.objects.threads import in_thread, until

if TYPE_CHECKING:
    from obstore import Attributes as ObstoreAttributes

    from millstream.objects.settings import StoreSettings

PART_BYTES = 5 * MIB  # the smallest that S3 takes
PAGE_KEYS = 1000
_PARTS_MAX = 2  # under way at once
_CHANGED_BY_OBSTORE = re.compile(r"^/|/$|//|(?:^|/)\.\.?(?:/|$)|[\x00-\x1f\x7f]")
_OBSTORE_ERRORS = (BaseError, OSError, ValueError)
_BOTOCORE_ERRORS = (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError)
_UNVERIFIABLE = ("AccessDenied", "MethodNotAllowed", "NotImplemented")  # who may put need not be allowed to look


class S3Stores:
    """All buckets that the settings' credentials reach. Nothing is connected to before the first call."""

    def __init__(self, settings: StoreSettings) -> None:
        self._access = Access(settings)
        self._buckets: dict[str, S3Bucket] = {}

    def bucket(self, name: str) -> S3Bucket:
        """The bucket of that name. Raises StoreError (InvalidBucketName)."""
        if name not in self._buckets:
            check_bucket_name(name)
            self._buckets[name] = S3Bucket(name, self._access)
        return self._buckets[name]


class S3Bucket:
    """One bucket."""

    def __init__(self, name: str, access: Access) -> None:
        self._name = name
        self._access = access

    async def put(self, key: str, body: Callable[[], Iterable[bytes]], attributes: Attributes = PLAIN) -> int:
        """Put an object, in parts if it is large; a put that fails leaves none behind. See `Bucket.put`."""
        check_key(key)
        return await in_thread(lambda stop: self._put(key, until(stop, body()), attributes))

    async def get(self, key: str) -> bytes:
        """The bytes of an object. Raises ObjectMissing."""
        check_key(key)
        return await in_thread(lambda _: self._get(key))

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        """The objects whose keys begin with `prefix`, by key."""
        page = await self._page(prefix, "")
        while True:
            for info in page.infos:
                yield info
            if not page.next_token:
                return
            page = await self._page(prefix, page.next_token)

    async def delete(self, key: str) -> None:
        """Delete an object; one that is not there is fine."""
        check_key(key)
        await in_thread(lambda _: self._call("delete_object", key, Key=key))

    async def _page(self, prefix: str, token: str) -> _Page:
        return await in_thread(lambda _: self._list(prefix, token))

    def _put(self, key: str, pieces: Iterable[bytes], attributes: Attributes) -> int:
        counted = _Counted(pieces)
        if _CHANGED_BY_OBSTORE.search(key):
            self._put_as_it_is(key, counted, attributes)
        else:
            self._put_parts(key, counted, attributes)
        self._verify(key, counted.size_bytes)
        return counted.size_bytes

    def _put_parts(self, key: str, pieces: Iterable[bytes], attributes: Attributes) -> None:
        parts = _parts(pieces)
        first = next(parts, b"")
        rest = parts if len(first) >= PART_BYTES else None
        self._access.check_credentials(self._where(key))
        headers: ObstoreAttributes = {"Content-Type": attributes.content_type}
        if attributes.content_encoding:
            headers["Content-Encoding"] = attributes.content_encoding
        guarded = _Guarded(rest or ())
        try:
            store = self._access.store(self._name, attributes.kms_key_arn)
            if rest is None:
                obstore.put(store, key, first, attributes=headers, use_multipart=False)
            else:
                parts = chain([first], guarded)
                obstore.put(store, key, parts, attributes=headers, chunk_size=PART_BYTES, max_concurrency=_PARTS_MAX)
        except _OBSTORE_ERRORS as error:
            if guarded.error is not None:
                raise guarded.error from None
            raise self._missing_bucket(from_obstore(error, self._where(key))) from error

    def _put_as_it_is(self, key: str, pieces: Iterable[bytes], attributes: Attributes) -> None:
        options = {"ContentEncoding": attributes.content_encoding} if attributes.content_encoding else {}
        if attributes.kms_key_arn:
            options |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": attributes.kms_key_arn}
        with tempfile.TemporaryFile() as file:  # botocore has to know the size, and reads twice to sign
            _fill(file, pieces)
            self._call("put_object", key, Key=key, Body=file, ContentType=attributes.content_type, **options)

    def _verify(self, key: str, size_bytes: int) -> None:
        """Raise StoreError unless the store has all that it said it took."""
        try:
            head = self._call("head_object", key, Key=key)
            stored = head.get("ContentLength", 0)  # a reply that was cut may be without
        except ObjectMissing:
            stored = 0
        except StoreError as error:
            if error.code in _UNVERIFIABLE:
                return
            raise
        if stored != size_bytes:
            problem = f"the store took {size_bytes} bytes, and then has {stored} of them; it is put again"
            raise StoreError("IncompleteBody", f"{self._where(key)}: {problem}")

    def _get(self, key: str) -> bytes:
        answer = self._call("get_object", key, Key=key)
        try:
            content: bytes = answer["Body"].read()
        except _BOTOCORE_ERRORS as error:
            raise from_botocore(error, self._where(key)) from error
        return content

    def _list(self, prefix: str, after: str) -> _Page:
        token = {"ContinuationToken": after} if after else {}
        page = self._call("list_objects_v2", "", Prefix=prefix, MaxKeys=PAGE_KEYS, **token)
        infos = [
            ObjectInfo(item["Key"], item["Size"], round(item["LastModified"].timestamp() * 1000))
            for item in page.get("Contents", ())
        ]
        return _Page(infos, page.get("NextContinuationToken", ""))

    def _call(self, operation: str, key: str, **parameters: Any) -> dict[str, Any]:
        try:
            client = self._access.client()
            answer: dict[str, Any] = getattr(client, operation)(Bucket=self._name, **parameters)
        except _BOTOCORE_ERRORS as error:
            problem = from_botocore(error, self._where(key))
            raise problem if operation != "put_object" else self._missing_bucket(problem) from error
        return answer

    def _missing_bucket(self, error: StoreError) -> StoreError:
        """A put misses no key: it is the bucket that is not there."""
        if isinstance(error, ObjectMissing):
            return store_error("NoSuchBucket", "there is no such bucket", f"s3://{self._name}")
        return error

    def _where(self, key: str) -> str:
        return f"s3://{self._name}/{key}"


class _Page(NamedTuple):
    """A part of a listing; `next_token` asks for the next one, "" where there is none."""

    infos: list[ObjectInfo]
    next_token: str


class _Counted:
    """Pieces that pass by, their bytes counted."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.size_bytes = 0
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            self.size_bytes += len(piece)
            yield piece


class _Guarded:
    """Parts on their way through obstore, which may dress up an error of the one who makes them."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self.error: BaseException | None = None
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._parts
        except BaseException as error:
            self.error = error
            raise


def _parts(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces, joined to parts of at least PART_BYTES; the last one may be smaller."""
    part: list[bytes] = []
    size = 0
    for piece in pieces:
        part.append(piece)
        size += len(piece)
        if size >= PART_BYTES:
            yield b"".join(part)
            part, size = [], 0
    if part:
        yield b"".join(part)


def _fill(file: IO[bytes], pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        file.write(piece)
    file.seek(0)
