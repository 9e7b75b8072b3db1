"""What libraries say of a store's failures, in S3's words."""

from __future__ import annotations

import botocore.exceptions
import pytest

from millstream.objects.port import ObjectMissing
from millstream.objects.s3errors import from_botocore, from_obstore
from millstream.objects.settings import StoreSettings, StoreSettingsInvalid
from millstream.objects.stores import from_settings

_XML = "<Error><Code>{code}</Code><Message>Said the store.</Message></Error>"


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (f"status code: 403 Forbidden: {_XML.format(code='AccessDenied')}", "AccessDenied", "Said the store."),
        (f"x: {_XML.format(code='KMS.NotFoundException')}", "KMS.NotFoundException", "encryption configuration"),
        ("Server returned non-2xx status code: 503 Service Unavailable: ", "SlowDown", "answered 503"),
        ("Server returned non-2xx status code: 502 Bad Gateway: <html>", "InternalError", "answered 502"),
        ("HTTP error: error sending request\n\nkind: Connect", "ServiceUnavailable", "s3_endpoint"),
        ("HTTP error: request\n\nkind: Timeout, TimedOut", "RequestTimeout", "in time"),
    ],
)
def test_texts_of_obstore(text: str, code: str, said: str) -> None:
    error = from_obstore(OSError(text), "s3://lake/a")
    assert error.code == code
    assert said in str(error)
    assert str(error).startswith("s3://lake/a: ")
    assert "\n" not in str(error)


def test_errors_of_botocore() -> None:
    denied = botocore.exceptions.ClientError({"Error": {"Code": "AccessDenied", "Message": "No."}}, "PutObject")
    assert from_botocore(denied, "x").code == "AccessDenied"
    missing = botocore.exceptions.ClientError({"Error": {"Code": "404", "Message": "Not Found"}}, "HeadObject")
    assert isinstance(from_botocore(missing, "x"), ObjectMissing)
    unreachable = botocore.exceptions.EndpointConnectionError(endpoint_url="http://x")
    assert from_botocore(unreachable, "x").code == "ServiceUnavailable"
    late = botocore.exceptions.ReadTimeoutError(endpoint_url="http://x")
    assert from_botocore(late, "x").code == "RequestTimeout"


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"object_store": "s3"}, "object_store"),
        ({"object_store": "s3://", "s3_access_key_id": "x"}, "s3_secret_access_key"),
        ({"object_store": "s3://", "s3_endpoint": "localhost:9000"}, "s3_endpoint"),
    ],
)
def test_settings_that_name_no_store(settings: dict[str, str], named: str) -> None:
    with pytest.raises(StoreSettingsInvalid, match=named):
        from_settings(StoreSettings(**settings), "unused")  # type: ignore[arg-type]
