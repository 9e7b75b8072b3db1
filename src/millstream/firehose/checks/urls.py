"""Checks of the URLs that data is sent to.

AWS takes https only. People run Millstream beside their services, in compose files and clusters without certificates,
so plain http is taken for hosts of the local network: loopback and private addresses, names without a dot, and names
that end as those of local networks do. To anywhere else data and keys go encrypted, as with AWS.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from millstream.wire.faults import InvalidArgumentException

_LOCAL_SUFFIXES = (".localhost", ".local", ".internal", ".lan", ".home.arpa", ".test")
_NO_URL = re.compile(r"[\s\x00-\x1f\x7f]")


def check_url(url: str, member: str) -> None:
    """Raises InvalidArgumentException unless `url`, the value of `member`, is one that data may be sent to."""
    scheme, host = _parts(url)
    if scheme not in ("http", "https") or not host:
        raise InvalidArgumentException(f"{member} must be a URL that begins with https:// and has a host.")
    if scheme == "http" and not _is_local(host):
        raise InvalidArgumentException(
            f"{member} must begin with https://: Millstream sends over http:// only within the local network, and "
            f"{host} is not known to be in it."
        )


def _parts(url: str) -> tuple[str, str | None]:
    if _NO_URL.search(url):
        return "", None
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError for a port that is none
    except ValueError:
        return "", None
    return parts.scheme, parts.hostname


def _is_local(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(_LOCAL_SUFFIXES)
    return address.is_private or address.is_loopback or address.is_link_local
