"""Fixtures of the streams room's tests."""

from __future__ import annotations

import pytest

from support.control_plane import ControlPlane


@pytest.fixture
def plane() -> ControlPlane:
    """A server's streams, without AWS's limits."""
    return ControlPlane()


@pytest.fixture
def limited() -> ControlPlane:
    """A server's streams, with AWS's limits."""
    return ControlPlane(limits_aws=True)
