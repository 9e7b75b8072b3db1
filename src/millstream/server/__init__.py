"""Server: settings, the data directory, HTTP, and the process that holds everything together.

Flows in: settings, signals, HTTP requests. Flows out: replies. Promises: one server a data directory; whatever clients
send, memory stays bounded and others are served; what was acknowledged survives any end of the process. May import
every room but `cli`.
"""

from millstream.server.config import ConfigError, Settings, load_settings
from millstream.server.process import Started, run_server

__all__ = ["ConfigError", "Settings", "Started", "load_settings", "run_server"]
