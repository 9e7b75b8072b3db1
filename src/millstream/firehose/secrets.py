"""What of a destination's configuration is secret: passwords, tokens, and what stands before the @ of a URL.

    whole configuration ─conceal─► what may be shown  +  secrets, which are kept sealed ─reveal─► whole configuration

A whole configuration has its secrets at its top; a URL with a user name or a password in it is a secret as a whole,
and is shown without them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Description = dict[str, Any]

NAMES = {"Redshift": "Password", "HttpEndpoint": "AccessKey", "Splunk": "HECToken"}
"""The secret that a kind of destination has, by the name of its member."""

SEAL_PURPOSE = b"firehose secret"
"""What secrets are sealed for: a seal of another purpose does not open as one."""

_URLS: dict[str, tuple[str, ...]] = {
    "Redshift": ("ClusterJDBCURL",),
    "Elasticsearch": ("ClusterEndpoint",),
    "Amazonopensearchservice": ("ClusterEndpoint",),
    "AmazonOpenSearchServerless": ("CollectionEndpoint",),
    "HttpEndpoint": ("EndpointConfiguration", "Url"),
    "Splunk": ("HECEndpoint",),
}
"""Where a kind of destination has its URL."""

_USER_INFO = re.compile(r"\A([^/?#]*//)[^/?#]*@")


def shown_url(url: str) -> str:
    """A URL without user name and password."""
    return _USER_INFO.sub(r"\1", url)


def conceal(kind: str, configuration: Mapping[str, Any]) -> tuple[Description, dict[str, str]]:
    """What may be shown of a whole configuration, and its secrets by the name of the member that each belongs in."""
    shown, secrets = dict(configuration), {}
    if secret := shown.pop(NAMES.get(kind, ""), None):
        secrets[NAMES[kind]] = secret
    url = _url(kind, shown)
    if url != shown_url(url):
        secrets[_URLS[kind][-1]] = url
        shown = _with_url(kind, shown, shown_url(url))
    return shown, secrets


def reveal(kind: str, shown: Mapping[str, Any], secrets: Mapping[str, str]) -> Description:
    """The whole configuration: the inverse of `conceal`."""
    whole = {**shown, **secrets}
    path = _URLS.get(kind, ())
    if len(path) > 1 and path[-1] in whole:
        whole = _with_url(kind, whole, whole.pop(path[-1]))
    return whole


def recall(kind: str, given: Mapping[str, Any], before: Mapping[str, Any]) -> Description:
    """`given`, an update, with the user and password that the URL has in `before`, if the URL is as it was shown.

    So what a description says can be sent back, as with passwords, of which a description says nothing.
    """
    url = _url(kind, before)
    return _with_url(kind, given, url) if url and _url(kind, given) == shown_url(url) else dict(given)


def _url(kind: str, configuration: Mapping[str, Any]) -> str:
    value: Any = configuration
    for name in _URLS.get(kind, ("",)):
        value = value.get(name) or {}
    return value or ""


def _with_url(kind: str, configuration: Mapping[str, Any], url: str) -> Description:
    name, *rest = _URLS[kind]
    return {**configuration, name: {**configuration[name], rest[0]: url} if rest else url}
