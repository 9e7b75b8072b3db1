"""Where the buckets are, by the server's settings."""

from __future__ import annotations

from millstream.objects import StoreSettings
from millstream.server.config import Settings


def store_settings(settings: Settings) -> StoreSettings:
    """The part of the settings that `objects.from_settings` takes."""
    return StoreSettings(
        object_store=settings.object_store,
        s3_endpoint=settings.s3_endpoint,
        s3_region=settings.s3_region,
        s3_path_style=settings.s3_path_style,
        s3_access_key_id=settings.s3_access_key_id,
        s3_secret_access_key=settings.s3_secret_access_key,
    )
