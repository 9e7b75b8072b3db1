"""Counters for Prometheus over HTTP, of programs that run beside the platform: the agent, the connectors."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from types import TracebackType

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.registry import Collector

from millstream.client.errors import ConfigurationError


class MetricsServer:
    """Answers `GET /metrics` from a thread of its own until it is closed, or its `with` block ends.

    Shows what `collector` gives, called in that thread, and what the process uses. `port` 0 takes any that is free.
    """

    def __init__(self, collector: Collector, host: str, port: int) -> None:
        """Raises ConfigurationError if nobody can listen there."""
        registry = CollectorRegistry()
        registry.register(collector)
        ProcessCollector(registry=registry)
        try:
            self._server, self._thread = start_http_server(port, addr=host, registry=registry)
        except (OSError, OverflowError) as error:
            raise ConfigurationError(f"metrics cannot be served on {host}:{port}: {error}") from error
        self.port = self._server.server_port

    def __enter__(self) -> MetricsServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def serving(collector: Collector, address: tuple[str, int] | None) -> AbstractContextManager[MetricsServer | None]:
    """A server at (host, port) for as long as a `with` block lasts; without an address, none."""
    return nullcontext() if address is None else MetricsServer(collector, *address)
