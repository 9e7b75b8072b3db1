"""The object store that the settings ask for."""

from __future__ import annotations

from pathlib import Path

from millstream.objects.local import LocalStores
from millstream.objects.port import ObjectStores
from millstream.objects.settings import LOCAL, S3, StoreSettings, StoreSettingsInvalid


def from_settings(settings: StoreSettings, directory: str | Path) -> ObjectStores:
    """The object store; `directory` is where a local one keeps its buckets. Raises StoreSettingsInvalid."""
    if settings.object_store == LOCAL:
        return LocalStores(directory)
    if settings.object_store != S3:
        raise StoreSettingsInvalid(f'object_store is {settings.object_store!r}; it must be "{LOCAL}" or "{S3}"')
    if (settings.s3_access_key_id is None) != (settings.s3_secret_access_key is None):
        raise StoreSettingsInvalid("s3_access_key_id and s3_secret_access_key go together: set both or none")
    if settings.s3_endpoint and not settings.s3_endpoint.startswith(("http://", "https://")):
        raise StoreSettingsInvalid(f"s3_endpoint is {settings.s3_endpoint!r}; it must begin with http:// or https://")
    from millstream.objects.s3 import S3Stores  # noqa: PLC0415  obstore and botocore: only where they are used

    return S3Stores(settings)
