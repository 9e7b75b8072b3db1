"""What a connector is told, checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
from yarl import URL

from millstream.base.units import MIB
from millstream.client.errors import ConfigurationError
from millstream.connect.rabbitmq.records import Shaping

URL_VARIABLE = "MILLSTREAM_RABBITMQ_URL"
DEFAULT_URL = "amqp://guest:guest@127.0.0.1:5672/"
_HEARTBEAT_S = "20"


class Broker:
    """Where the broker is, with the password in it: never to be shown. `str` shows it without."""

    def __init__(self, url: URL) -> None:
        self.url = url

    def __str__(self) -> str:
        shown = URL.build(
            scheme=self.url.scheme, host=self.url.host or "", port=self.url.port, path=self.url.path, encoded=False
        )
        return str(shown)

    __repr__ = __str__

    @property
    def user(self) -> str:
        """Who logs in."""
        return self.url.user or "guest"

    @property
    def virtual_host(self) -> str:
        """The virtual host's name."""
        path = self.url.raw_path.removeprefix("/")
        return URL.build(path="/" + path, encoded=True).path[1:] if path else "/"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What to take from where, and how."""

    broker: Broker
    queue: str
    declare: bool = False
    consumers: int = 2
    prefetch: int = 2000
    linger_ms: int = 100
    puts_max: int = 4
    in_hand_bytes_max: int = 64 * MIB
    shutdown_timeout_s: float = 30.0
    shaping: Shaping = Shaping()


def find_broker(
    url: str | None, url_file: Path | None, ca: Path | None, environment: Mapping[str, str] | None = None
) -> Broker:
    """The broker that the option, the file, or $MILLSTREAM_RABBITMQ_URL names. Raises ConfigurationError."""
    environment = os.environ if environment is None else environment
    if url is not None and url_file is not None:
        raise ConfigurationError("give the broker's URL or a file with it, not both")
    if url_file is not None:
        url = _read(url_file)
    return parse_broker(url or environment.get(URL_VARIABLE) or DEFAULT_URL, ca)


def parse_broker(text: str, ca: Path | None = None) -> Broker:
    """A URL like amqps://user:password@host:5671/vhost. Raises ConfigurationError, which does not show the URL."""
    try:
        url = URL(text)
        fits = url.scheme in ("amqp", "amqps") and bool(url.host) and url.port != 0
    except ValueError:
        fits = False
    if not fits:
        raise ConfigurationError(
            "the broker's URL is none: it should look like amqp://user:password@host:5672/vhost "
            "(amqps:// for TLS; % in a password is written %25, / %2F, @ %40)"
        )
    if ca is not None:
        if url.scheme != "amqps":
            raise ConfigurationError("--ca is for TLS: the broker's URL must begin with amqps://")
        if not os.access(ca, os.R_OK):
            raise ConfigurationError(f"the certificates in {ca} cannot be read")
        url = url.update_query(cafile=str(ca))
    if "heartbeat" not in url.query:
        url = url.update_query(heartbeat=_HEARTBEAT_S)
    if "name" not in url.query:
        url = url.update_query(name="millstream connect rabbitmq")
    return Broker(url)


def _read(path: Path) -> str:
    try:
        lines = path.read_text().split()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the broker's URL cannot be read from {path}: {error}") from error
    if len(lines) != 1:
        raise ConfigurationError(f"{path} should hold the broker's URL and nothing else")
    return lines[0]
