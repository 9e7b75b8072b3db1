"""What connectors tell about themselves, and how they are stopped."""

from __future__ import annotations

import urllib.request

import pytest

from millstream.client.errors import ConfigurationError
from millstream.client.metricsserver import serving
from millstream.connect.running import Counters, Stop, log_to_stderr


def test_prometheus_can_read_the_counters() -> None:
    counters = Counters("millstream_test", {"queue": "q"}, {"messages": "Messages."})
    counters.add("messages", 3)
    counters.gauge("in_hand_bytes", "Bytes.", lambda: 7)
    with serving(counters, ("127.0.0.1", 0)) as server:
        assert server is not None
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=5) as reply:
            text = reply.read().decode()
        with pytest.raises(ConfigurationError, match="cannot be served"):
            serving(counters, ("127.0.0.1", server.port))
    assert 'millstream_test_messages_total{queue="q"} 3.0' in text
    assert 'millstream_test_in_hand_bytes{queue="q"} 7.0' in text
    assert counters["messages"] == 3


async def test_who_asks_twice_is_in_a_hurry() -> None:
    stop = Stop()
    stop.ask()
    assert stop.wanted.is_set()
    assert not stop.at_once.is_set()
    stop.ask()
    assert stop.at_once.is_set()


def test_a_log_level_that_is_none() -> None:
    with pytest.raises(ConfigurationError, match="debug, info"):
        log_to_stderr("loud")
