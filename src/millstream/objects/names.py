"""Names of buckets and keys of objects: what S3 takes, wherever the objects are.

Source: S3 user guide, "General purpose bucket naming rules" and "Naming Amazon S3 objects".
"""

from __future__ import annotations

import re

from millstream.objects.port import StoreError

KEY_BYTES_MAX = 1024

_BUCKET = re.compile(r"[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")
_RESERVED_PREFIXES = ("xn--", "sthree-")
_RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def check_bucket_name(name: str) -> None:
    """Raise StoreError (InvalidBucketName) unless a bucket can have that name."""
    if not _BUCKET.fullmatch(name) or _ADDRESS.fullmatch(name):
        problem = "it must be 3 to 63 lower-case letters, digits, hyphens and single dots, and no IP address"
    elif name.startswith(_RESERVED_PREFIXES) or name.endswith(_RESERVED_SUFFIXES):
        problem = "such prefixes and suffixes are reserved"
    else:
        return
    raise StoreError("InvalidBucketName", f"{name!r} cannot be a bucket's name: {problem}; use another bucket")


def check_key(key: str) -> None:
    """Raise StoreError (InvalidURI, KeyTooLongError) unless an object can have that key."""
    try:
        size_bytes = len(key.encode())
    except UnicodeEncodeError as error:
        raise StoreError("InvalidURI", f"the key {key!r} is not Unicode: it has half of a surrogate pair") from error
    if not key:
        raise StoreError("InvalidURI", "an object's key cannot be empty")
    if size_bytes > KEY_BYTES_MAX:
        raise StoreError(
            "KeyTooLongError",
            f"the key {key[:60]}… has {size_bytes} bytes, and {KEY_BYTES_MAX} are allowed: use a shorter prefix",
        )
