"""Where the broker is comes from an option, a file or the environment, and its password is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from millstream.client.errors import ConfigurationError
from millstream.connect.rabbitmq.options import find_broker, parse_broker

SECRET = "s3cr%2Ft"


def test_where_the_url_comes_from(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("amqp://a@file\n")
    environment = {"MILLSTREAM_RABBITMQ_URL": "amqp://a@variable"}
    assert find_broker(None, file, None, environment).url.host == "file"
    assert find_broker("amqp://a@option", None, None, environment).url.host == "option"
    assert find_broker(None, None, None, environment).url.host == "variable"
    assert find_broker(None, None, None, {}).url.host == "127.0.0.1"
    with pytest.raises(ConfigurationError, match="not both"):
        find_broker("amqp://a@option", file, None, environment)


def test_the_password_is_not_shown() -> None:
    broker = parse_broker(f"amqps://me:{SECRET}@rabbit:5671/sales%2Feu?heartbeat=5")
    for text in (str(broker), repr(broker), f"{broker}"):
        assert "s3cr" not in text
        assert text.startswith("amqps://rabbit:5671/")
    assert broker.url.password == "s3cr/t"
    assert (broker.user, broker.virtual_host) == ("me", "sales/eu")
    assert broker.url.query["heartbeat"] == "5"


@pytest.mark.parametrize(
    "text", ["", "rabbit", f"http://me:{SECRET}@rabbit", f"amqp://me:{SECRET}@", f"amqp://me:{SECRET}@rabbit:x/"]
)
def test_a_bad_url_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ConfigurationError, match="should look like") as caught:
        parse_broker(text)
    assert "s3cr" not in str(caught.value)


@pytest.mark.parametrize("content", [None, "", "amqp://a amqp://b", b"\xff"])
def test_a_file_that_holds_no_url(tmp_path: Path, content: str | bytes | None) -> None:
    file = tmp_path / "url"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigurationError, match="url"):
        find_broker(None, file, None, {})


def test_certificates(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    with pytest.raises(ConfigurationError, match="cannot be read"):
        parse_broker("amqps://rabbit", ca)
    ca.write_text("")
    with pytest.raises(ConfigurationError, match="amqps://"):
        parse_broker("amqp://rabbit", ca)
    assert parse_broker("amqps://rabbit", ca).url.query["cafile"] == str(ca)
