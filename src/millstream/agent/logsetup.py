"""Where the agent's log goes: `log.file`, which is rotated by size, or standard error."""

from __future__ import annotations

import logging
import sys
from collections import deque
from logging.handlers import RotatingFileHandler
from pathlib import Path

import msgspec

from millstream.agent.config import AgentConfig
from millstream.client.errors import ConfigurationError

_LEVELS = {
    "TRACE": logging.DEBUG,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
    "FATAL": logging.CRITICAL,
    "OFF": logging.CRITICAL + 1,
}
_QUIET = {
    "aiohttp": logging.WARNING,
    "asyncio": logging.WARNING,
    "botocore": logging.CRITICAL,  # its errors are raised, and told in our words
    "watchfiles": logging.WARNING,
}
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_TOLD_MAX = 10
_TOLD_CHARS_MAX = 500


class Told(msgspec.Struct):
    """A warning or an error of the log."""

    time_ms: int
    text: str


class RecentWarnings(logging.Handler):
    """Keeps the log's last warnings and errors, for `millstream agent status`."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.told: deque[Told] = deque(maxlen=_TOLD_MAX)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it. Names of files need not be UTF-8; what is kept is."""
        text = record.getMessage()[:_TOLD_CHARS_MAX].encode(errors="replace").decode()
        self.told.append(Told(int(record.created * 1000), text))


RECENT = RecentWarnings()


def set_up_logging(config: AgentConfig) -> None:
    """Log as the configuration says, from now on. Raises ConfigurationError if the file cannot be written."""
    logging.basicConfig(
        level=_LEVELS[config.log_level], handlers=[_handler(config), RECENT], format=_FORMAT, force=True
    )
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(max(level, _LEVELS[config.log_level]))


def _handler(config: AgentConfig) -> logging.Handler:
    if config.log_file is None:
        return logging.StreamHandler(sys.stderr)
    try:
        Path(config.log_file).parent.mkdir(parents=True, exist_ok=True)
        return RotatingFileHandler(
            config.log_file, maxBytes=config.log_max_file_size_bytes, backupCount=config.log_max_backup_index
        )
    except OSError as error:
        raise ConfigurationError(f"log.file {config.log_file} cannot be written: {error.strerror}") from error
