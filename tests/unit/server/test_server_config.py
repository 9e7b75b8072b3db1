"""Settings come from options, environment and file, in this order, and wrong ones are named."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from millstream.server.config import SETTINGS, ConfigError, Settings, load_settings

DOCUMENT = Path(__file__).parents[3] / "docs" / "settings.md"


def test_defaults() -> None:
    assert load_settings({}, {}) == Settings()


def test_options_go_before_environment_before_file(tmp_path: Path) -> None:
    config = tmp_path / "millstream.toml"
    config.write_text('port = 1\nregion = "eu-west-1"\nlimits = "off"\ndemo = true\n')
    environment = {"MILLSTREAM_PORT": "2", "MILLSTREAM_REGION": "eu-west-2"}
    settings = load_settings({"port": "3", "host": None}, environment, config)
    assert (settings.port, settings.region, settings.limits, settings.demo) == (3, "eu-west-2", "off", True)


OTHER_THAN_DEFAULT: dict[str, str | int | bool] = {
    "host": "127.0.0.2",
    "port": 4567,
    "data_dir": "elsewhere",
    "limits": "off",
    "demo": True,
    "region": "eu-west-1",
    "insecure": True,
    "tls_cert": "cert.pem",
    "tls_key": "key.pem",
    "tls_self_signed": True,
    "create_delay_ms": 1,
    "update_delay_ms": 2,
    "delete_delay_ms": 3,
    "shard_limit": 4,
    "object_store": "s3://",
    "s3_endpoint": "http://127.0.0.1:9000",
    "s3_region": "eu-west-1",
    "s3_path_style": False,
    "s3_access_key_id": "key",
    "s3_secret_access_key": "secret",
    "lambda_endpoint": "http://127.0.0.1:3001",
    "application_memory_mib": 512,
    "warehouse_paths": True,
    "log_level": "debug",
}


TOGETHER = {
    "tls_cert": {"tls_key": "key.pem"},
    "tls_key": {"tls_cert": "cert.pem"},
    "s3_access_key_id": {"s3_secret_access_key": "secret"},
    "s3_secret_access_key": {"s3_access_key_id": "key"},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_is_an_option_a_variable_and_a_key_of_the_file(name: str, tmp_path: Path) -> None:
    value = OTHER_THAN_DEFAULT[name]
    together = TOGETHER.get(name, {})
    config = tmp_path / "millstream.toml"
    config.write_text(f"{name} = {json.dumps(value)}\n")
    by_option = load_settings({name: value, **together}, {})
    assert load_settings(together, {"MILLSTREAM_" + name.upper(): str(value).lower()}) == by_option
    assert load_settings(together, {}, config) == by_option
    assert getattr(by_option, name) != getattr(Settings(), name)


@pytest.mark.parametrize(
    ("options", "environment", "message"),
    [
        ({"port": "65536"}, {}, "--port: '65536' is not allowed; it must be a whole number from 0 to 65535"),
        ({"port": "http"}, {}, "--port: 'http' is not allowed; it must be a whole number from 0 to 65535"),
        ({"data_dir": ""}, {}, "--data-dir: '' is not allowed; it must be a path"),
        ({}, {"MILLSTREAM_LIMITS": "none"}, "MILLSTREAM_LIMITS: 'none' is not allowed; it must be aws or off"),
        ({}, {"MILLSTREAM_DEMO": "maybe"}, "MILLSTREAM_DEMO: 'maybe' is not allowed; it must be true or false"),
        (
            {},
            {"MILLSTREAM_LOGLEVEL": "debug"},
            "unknown environment variable MILLSTREAM_LOGLEVEL; did you mean MILLSTREAM_LOG_LEVEL?",
        ),
        ({"tls_cert": "c.pem"}, {}, "tls_cert is set but tls_key is not: TLS needs both"),
        ({"region": "Europe"}, {}, "--region: 'Europe' is not allowed; it must be a region name such as eu-west-1"),
    ],
)
def test_what_is_not_allowed_is_named(options: dict[str, str], environment: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_settings(options, environment)
    assert str(raised.value) == message


def test_the_file_is_checked_as_strictly(tmp_path: Path) -> None:
    config = tmp_path / "millstream.toml"
    config.write_text("prot = 4567\n")
    with pytest.raises(ConfigError, match="unknown setting 'prot'; did you mean port"):
        load_settings({}, {}, config)
    config.write_text("port = true\n")
    with pytest.raises(ConfigError, match=r"port in .*millstream\.toml: True is not allowed"):
        load_settings({}, {}, config)
    config.write_text("port: 4567\n")
    with pytest.raises(ConfigError, match="is not TOML"):
        load_settings({}, {}, config)
    with pytest.raises(ConfigError, match="No such file"):
        load_settings({}, {}, tmp_path / "other.toml")


def test_variables_of_commands_and_of_service_links_are_not_settings() -> None:
    environment = {
        "MILLSTREAM_ENDPOINT": "http://127.0.0.1:4566",
        "MILLSTREAM_SERVICE_HOST": "10.0.0.1",
        "MILLSTREAM_PORT_4566_TCP": "tcp://10.0.0.1:4566",
    }
    assert load_settings({}, environment) == Settings()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.7", "::", "example.org"])
def test_without_authentication_only_this_machine_is_served(host: str) -> None:
    with pytest.raises(ConfigError, match="--insecure"):
        load_settings({"host": host}, {})
    assert load_settings({"host": host, "insecure": True}, {}).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_needs_no_permission(host: str) -> None:
    assert load_settings({"host": host}, {}).host == host


def test_every_setting_is_documented_with_its_default() -> None:
    row = re.compile(r"^\| `(\w+)` \| `([^`]+)` \| `([^`]+)` \| (?:`([^`]*)`)? *\|", re.MULTILINE)
    rows = row.findall(DOCUMENT.read_text())
    documented = {name: (option, variable, default) for name, option, variable, default in rows}
    assert documented.keys() == SETTINGS.keys()
    for field in fields(Settings):
        option, variable, default = documented[field.name]
        assert option.partition("/")[0] == "--" + field.name.replace("_", "-")
        assert variable == "MILLSTREAM_" + field.name.upper()
        assert default == (
            "" if field.default is None else str(field.default).replace("False", "false").replace("True", "true")
        )
