"""Connectors: where documents go. A plug-in is an entry point of the group `millstream.connectors`.

[project.entry-points."millstream.connectors"]
kafka = "my_package:make_connector"          # make_connector(settings: Settings) -> Connector
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import entry_points
from typing import Protocol

from millstream.base.errors import MillstreamError
from millstream.connect.subscription.messages import LogEvent

GROUP = "millstream.connectors"


class ConnectorError(MillstreamError):
    """A connector cannot go on; the text tells a person what to do. `is_passing`: the same write may succeed later."""

    def __init__(self, message: str, *, is_passing: bool = False) -> None:
        super().__init__(message)
        self.is_passing = is_passing


class Connector(Protocol):
    """Takes events somewhere. Used by one task at a time."""

    async def write(self, events: Sequence[LogEvent]) -> None:
        """Return once all events are where they should be, as durably as that place can.

        The same events may come again after a failure or a crash: `LogEvent.id` tells. Raises ConnectorError.
        """
        ...

    async def close(self) -> None:
        """Let go of everything; nothing is written afterwards."""
        ...


class Settings:
    """What `--set NAME=VALUE` said, for a connector to take; `done` refuses what it did not ask for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._left = dict(values)
        self._known: list[str] = []

    def take(self, name: str, default: str | None = None) -> str:
        """The value of a setting. Raises ConnectorError if it is missing and has no default."""
        value = self.find(name)
        if value is None and default is None:
            raise ConnectorError(f"the setting {name} is missing: --set {name}=…")
        return value if value is not None else default or ""

    def find(self, name: str) -> str | None:
        """The value of a setting that may be missing."""
        self._known.append(name)
        return self._left.pop(name, None)

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number between `least` and `most`. Raises ConnectorError."""
        text = self.find(name)
        if text is None:
            return default
        if not text.isascii() or not text.isdigit() or not least <= int(text[:12]) <= most:
            raise ConnectorError(f"{name}={text}: it should be a whole number from {least} to {most}")
        return int(text)

    def done(self) -> None:
        """Raises ConnectorError for settings that nobody took."""
        for name in self._left:
            raise ConnectorError(f"the setting {name} is not known here; known are {', '.join(sorted(self._known))}")


MakeConnector = Callable[[Settings], Connector]


def names() -> Iterator[str]:
    """The connectors that are installed."""
    return iter(sorted(entry_points(group=GROUP).names))


def make_connector(name: str, values: Mapping[str, str]) -> Connector:
    """The connector of that name, with its settings. Raises ConnectorError."""
    found = [point for point in entry_points(group=GROUP) if point.name == name]
    if not found:
        raise ConnectorError(f"no connector {name!r} is installed; there are {', '.join(names())}")
    settings = Settings(values)
    try:
        make: MakeConnector = found[0].load()
    except (ImportError, AttributeError) as error:
        raise ConnectorError(f"the connector {name!r} cannot be loaded: {error}") from error
    connector = make(settings)
    settings.done()
    return connector
