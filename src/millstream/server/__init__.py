"""Server: settings, the data directory, HTTP, and the process that holds everything together.

Flows in: settings, signals, HTTP requests. Flows out: replies. Promises: one server a data directory; whatever clients
send, memory stays bounded and others are served; what was acknowledged survives any end of the process. May import
every room but `cli`.
"""

from typing import TYPE_CHECKING

from millstream.server.config import ConfigError, Settings, load_settings

if TYPE_CHECKING:
    from millstream.server.process import Started, run_server

__all__ = ["ConfigError", "Settings", "Started", "load_settings", "run_server"]


def __getattr__(name: str) -> object:
    """What only the process that serves needs: a worker starts sooner without it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from millstream.server import process  # noqa: PLC0415 - see above

    return getattr(process, name)
