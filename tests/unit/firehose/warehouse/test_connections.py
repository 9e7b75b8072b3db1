"""How connections to warehouses are opened."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from millstream.firehose.warehouse.clusterurl import Server
from millstream.firehose.warehouse.connections import SILENCE_S_MAX, connect


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The parameters that the last connection was opened with."""
    parameters: dict[str, Any] = {}
    monkeypatch.setattr(psycopg, "connect", lambda **given: parameters.update(given))
    return parameters


def test_a_host_that_has_gone_silent_is_noticed(opened: dict[str, Any]) -> None:
    connect(Server("postgresql", "warehouse.internal", 5432, "main"), "loader", "secret")
    idle_s, interval_s, count = (opened[f"keepalives_{name}"] for name in ("idle", "interval", "count"))
    assert idle_s + interval_s * count <= SILENCE_S_MAX == opened["tcp_user_timeout"] / 1000


def test_the_destinations_user_comes_before_the_urls(opened: dict[str, Any]) -> None:
    server = Server("postgresql", "warehouse.internal", 5432, "main", user="url", password="url-secret")
    connect(server, "loader", "secret")
    assert (opened["user"], opened["password"]) == ("loader", "secret")
    connect(server, "", "")
    assert (opened["user"], opened["password"]) == ("url", "url-secret")
