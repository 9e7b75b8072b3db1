"""Objects: object stores, by one port: a directory of this machine, or anything that speaks S3.

Flows in: an object's bytes as pieces that can be made anew, and its attributes. Flows out: stored objects, listings.
May import base only.

Promises
- A put is whole or not at all, replaces what was there, and is durable on return.
- What a store says of a put is not just believed: its size is looked up afterwards where that is allowed.
- Every call ends: a store that hangs is a StoreError (RequestTimeout). Retrying is the caller's.
- Memory does not grow with an object's size.

`port` is what others know, `local` and `s3` are the two stores, `stores` chooses between them by `settings`.
"""

from millstream.objects.port import Attributes, Bucket, ObjectInfo, ObjectMissing, ObjectStores, StoreError
from millstream.objects.settings import StoreSettings
from millstream.objects.stores import from_settings

__all__ = [
    "Attributes",
    "Bucket",
    "ObjectInfo",
    "ObjectMissing",
    "ObjectStores",
    "StoreError",
    "StoreSettings",
    "from_settings",
]
