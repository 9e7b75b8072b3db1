"""Settings: from the command line, the environment and a file, in that order of precedence.

Every field of `Settings` is at once a command-line option (`--data-dir`), an environment variable
(`MILLSTREAM_DATA_DIR`) and a key of the file (`data_dir = "…"`). docs/settings.md lists them all; a test keeps it so.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_type_hints

from millstream.base.errors import MillstreamError

ENVIRONMENT_PREFIX = "MILLSTREAM_"
_CLIENT_VARIABLES = {"MILLSTREAM_CONFIG", "MILLSTREAM_ENDPOINT"}  # of the commands, not of the server
_SERVICE_LINK = re.compile(r"MILLSTREAM_(?:\w+_)?(?:SERVICE_(?:HOST|PORT)|PORT_\d+_)")  # set by Kubernetes and Docker


class ConfigError(MillstreamError):
    """A setting is unknown or has a value that it cannot have; the text says which, and what is allowed."""


class Kind(NamedTuple):
    """What a setting may be: `parse` takes text or a TOML value and raises for what is not allowed."""

    allowed: str
    parse: Callable[[Any], Any]


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    return {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}[
        str(value).lower()
    ]


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError
    return value


def _path(value: Any) -> Path:
    return Path(value if isinstance(value, Path) else _text(value)).expanduser()


def _whole_number(low: int, high: int) -> Kind:
    def parse(value: Any) -> int:
        if isinstance(value, bool | float) or not low <= (number := int(value)) <= high:
            raise ValueError
        return number

    return Kind(f"a whole number from {low} to {high}", parse)


def _one_of(*choices: str) -> Kind:
    def parse(value: Any) -> str:
        if value not in choices:
            raise ValueError
        return str(value)

    return Kind(" or ".join((", ".join(choices[:-1]), choices[-1])), parse)


def _matching(pattern: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        if not re.fullmatch(pattern, _text(value)):
            raise ValueError
        return str(value)

    return parse


class Setting(NamedTuple):
    """What is said of a setting beside its name, type and default."""

    kind: Kind
    help: str


_HOST = Kind("an address or a host name", _matching(r"[0-9A-Za-z.:_-]+"))
_PORT = _whole_number(0, 65535)
_REGION = Kind("a region name such as eu-west-1", _matching(r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}"))
_FILE = Kind("a path", _path)
_FLAG = Kind("true or false", _flag)
_LIMITS = _one_of("aws", "off")
_LEVEL = _one_of("debug", "info", "warning", "error")
_DELAY = _whole_number(0, 600_000)
_SHARDS = _whole_number(1, 1_000_000)
_MEMORY = _whole_number(256, 1_048_576)
_STORE = _one_of("local", "s3://")
_URL = Kind("an http or https URL", _matching(r"https?://[^\s/?#]+\S*"))
_TEXT = Kind("a text", _text)


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Everything that `millstream up` can be told."""

    host: Annotated[str, Setting(_HOST, "Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Setting(_PORT, "Port to listen on; 0 takes any that is free.")] = 4566
    data_dir: Annotated[Path, Setting(_FILE, "Directory of all that the server keeps.")] = Path("millstream-data")
    limits: Annotated[str, Setting(_LIMITS, "AWS's rate limits and quotas, or none.")] = "aws"
    demo: Annotated[bool, Setting(_FLAG, "Feed the stream kinesis-analytics-demo-stream with stock ticks.")] = False
    region: Annotated[str, Setting(_REGION, "Region of requests that carry no credential scope.")] = "us-east-1"
    insecure: Annotated[bool, Setting(_FLAG, "Listen beyond this machine although nobody must authenticate.")] = False
    tls_cert: Annotated[Path | None, Setting(_FILE, "Serve HTTPS with this certificate chain (PEM).")] = None
    tls_key: Annotated[Path | None, Setting(_FILE, "The certificate's private key (PEM).")] = None
    tls_self_signed: Annotated[bool, Setting(_FLAG, "Serve HTTPS with a certificate made on first use.")] = False
    create_delay_ms: Annotated[int, Setting(_DELAY, "How long something new is CREATING.")] = 50
    update_delay_ms: Annotated[int, Setting(_DELAY, "How long a changed stream is UPDATING.")] = 50
    delete_delay_ms: Annotated[int, Setting(_DELAY, "How long something deleted is DELETING.")] = 50
    shard_limit: Annotated[int, Setting(_SHARDS, "Open shards that an account may have in a region.")] = 20_000
    object_store: Annotated[str, Setting(_STORE, "Where buckets are: in data_dir, or an S3 service.")] = "local"
    s3_endpoint: Annotated[str | None, Setting(_URL, "S3-compatible service with the buckets; without it AWS.")] = None
    s3_region: Annotated[str, Setting(_REGION, "Region of the buckets.")] = "us-east-1"
    s3_path_style: Annotated[bool, Setting(_FLAG, "Address buckets by path, not by host name.")] = True
    s3_access_key_id: Annotated[str | None, Setting(_TEXT, "Credentials for the buckets, if not AWS's usual.")] = None
    s3_secret_access_key: Annotated[str | None, Setting(_TEXT, "The secret of these credentials.")] = None
    lambda_endpoint: Annotated[str | None, Setting(_URL, "Where functions are invoked, as AWS Lambda's API.")] = None
    application_memory_mib: Annotated[int, Setting(_MEMORY, "MiB that a SQL application's process may have.")] = 2048
    warehouse_paths: Annotated[bool, Setting(_FLAG, "Take duckdb: URLs of files anywhere.")] = False
    log_level: Annotated[str, Setting(_LEVEL, "What is logged on stderr.")] = "warning"

    @property
    def is_tls(self) -> bool:
        """Whether the server speaks HTTPS."""
        return self.tls_self_signed or self.tls_cert is not None

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


SETTINGS: dict[str, Setting] = {
    name: hint.__metadata__[0] for name, hint in get_type_hints(Settings, include_extras=True).items()
}
"""The settings by name."""


def load_settings(
    options: Mapping[str, Any], environment: Mapping[str, str], config_path: Path | None = None
) -> Settings:
    """The settings of a server; `options` holds what the command line gave (None: not given).

    Raises ConfigError for an unknown key, a value that is not allowed, and combinations that make no sense.
    """
    values: dict[str, Any] = {}
    if config_path is not None:
        values |= _parsed(_file_values(config_path), lambda name: f"{name} in {config_path}")
    values |= _parsed(_environment_values(environment), lambda name: ENVIRONMENT_PREFIX + name.upper())
    given = {name: value for name, value in options.items() if value is not None}
    values |= _parsed(given, lambda name: "--" + name.replace("_", "-"))
    settings = Settings(**values)
    _check_combinations(settings)
    return settings


def _file_values(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    for name in values:
        if name not in SETTINGS:
            raise ConfigError(f"{path}: unknown setting {name!r}{_suggestion(name, SETTINGS)}")
    return values


def _environment_values(environment: Mapping[str, str]) -> dict[str, str]:
    known = {ENVIRONMENT_PREFIX + name.upper(): name for name in SETTINGS}
    values = {}
    for variable, value in environment.items():
        if variable in known:
            values[known[variable]] = value
        elif (
            variable.startswith(ENVIRONMENT_PREFIX)
            and variable not in _CLIENT_VARIABLES
            and not _SERVICE_LINK.match(variable)
        ):
            raise ConfigError(f"unknown environment variable {variable}{_suggestion(variable, known)}")
    return values


def _suggestion(name: str, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(known)}"


def _parsed(values: Mapping[str, Any], source: Callable[[str], str]) -> dict[str, Any]:
    parsed = {}
    for name, value in values.items():
        kind = SETTINGS[name].kind
        try:
            parsed[name] = kind.parse(value)
        except (ValueError, TypeError, KeyError) as error:
            shown = f"'{value}'" if isinstance(value, str | Path) else value
            raise ConfigError(f"{source(name)}: {shown} is not allowed; it must be {kind.allowed}") from error
    return parsed


def _check_combinations(settings: Settings) -> None:
    if (settings.tls_cert is None) != (settings.tls_key is None):
        missing, given = ("tls_key", "tls_cert") if settings.tls_key is None else ("tls_cert", "tls_key")
        raise ConfigError(f"{given} is set but {missing} is not: TLS needs both")
    if settings.tls_cert is not None and settings.tls_self_signed:
        raise ConfigError("tls_self_signed and tls_cert are both set: choose one")
    if (settings.s3_access_key_id is None) != (settings.s3_secret_access_key is None):
        raise ConfigError("s3_access_key_id and s3_secret_access_key go together: set both, or none of them")
    if not settings.is_loopback and not settings.insecure:
        raise ConfigError(
            f"host {settings.host} is reachable from other machines, and nobody has to authenticate: "
            "listen on 127.0.0.1, or add --insecure if that is what you want"
        )
