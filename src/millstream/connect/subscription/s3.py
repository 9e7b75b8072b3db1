"""The connector `s3`: events as gzip files, a JSON document a line, in an S3 service or a local directory.

    PREFIX/2026/11/23/18/<first event's id>-<count>.json.gz        by the time of the first event, UTC

An object that is written again after a crash has the same name as long as its batch is cut the same way.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from millstream.connect.subscription.connector import ConnectorError, Settings
from millstream.connect.subscription.documents import full_document, index_name
from millstream.connect.subscription.messages import LogEvent

_LEVEL = 1


class ObjectFiles:
    """Writes a file a batch."""

    def __init__(self, store: Any, prefix: str) -> None:
        self._store = store
        self._prefix = prefix

    async def write(self, events: Sequence[LogEvent]) -> None:
        """Returns once the object is stored."""
        if not events:
            return
        import obstore  # noqa: PLC0415 - only this connector needs it
        from obstore.exceptions import BaseError  # noqa: PLC0415

        lines = b"".join(msgspec.json.encode(full_document(event)) + b"\n" for event in events)
        try:
            await obstore.put_async(self._store, self._key(events), gzip.compress(lines, _LEVEL, mtime=0))
        except (BaseError, OSError) as error:
            raise ConnectorError(f"the object store does not take it: {error}", is_passing=True) from error

    async def close(self) -> None:
        """Nothing is held."""

    def _key(self, events: Sequence[LogEvent]) -> str:
        digest = hashlib.blake2b("".join(event.id for event in events).encode(), digest_size=8).hexdigest()
        name = f"{events[0].id[-24:]}-{len(events)}-{digest}.json.gz"
        return f"{self._prefix}{index_name('yyyy/MM/dd/HH', events[0].time_ms)}/{name}"


def make(settings: Settings) -> ObjectFiles:
    """The connector. Settings: url (s3://BUCKET/PREFIX or file:///DIRECTORY), endpoint, region, access_key_id, …"""
    from obstore.exceptions import BaseError  # noqa: PLC0415 - only this connector needs it
    from obstore.store import LocalStore, S3Store  # noqa: PLC0415

    url = settings.take("url")
    scheme, _, place = url.partition("://")
    try:
        if scheme == "file":
            return ObjectFiles(LocalStore(place, mkdir=True), "")
        bucket, _, prefix = place.partition("/")
        if scheme != "s3" or not bucket:
            raise ConnectorError(f"url={url}: it should be s3://BUCKET/PREFIX or file:///DIRECTORY")
        return ObjectFiles(S3Store(bucket, **_s3_options(settings)), f"{prefix.strip('/')}/" if prefix else "")
    except (BaseError, OSError) as error:
        raise ConnectorError(f"{url} cannot be used: {error}") from error


def _s3_options(settings: Settings) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if endpoint := settings.find("endpoint"):
        options |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
        options["client_options"] = {"allow_http": True}
    for name in ("region", "access_key_id", "secret_access_key"):
        if value := settings.find(name):
            options[name] = value
    return options
