"""Manifests: files that name the objects that a COPY loads ("Using a manifest to specify data files")."""

from __future__ import annotations

import msgspec


def manifest_body(url: str) -> bytes:
    """A manifest that names one object."""
    return msgspec.json.encode({"entries": [{"url": url, "mandatory": True}]})
