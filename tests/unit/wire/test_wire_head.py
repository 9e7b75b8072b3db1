"""Heads of requests: operation, codec, account and region, and what is wrong with them."""

from __future__ import annotations

import pytest

from millstream.wire import CallContext, Codec, Fault, RequestHead, new_request_id, parse_head

JSON = "application/x-amz-json-1.1"
TARGET = "Kinesis_20131202.ListStreams"
SCOPE = "20260101/eu-west-1/kinesis/aws4_request"


def authorization(access_key_id: str = "test", scope: str = SCOPE) -> str:
    return f"AWS4-HMAC-SHA256 Credential={access_key_id}/{scope}, SignedHeaders=host;x-amz-date, Signature=abc"


def head(
    *,
    method: str = "POST",
    path: str = "/",
    content_type: str | None = JSON,
    target: str | None = TARGET,
    signed: str | None = None,
) -> RequestHead:
    headers = {"content-type": content_type, "x-amz-target": target, "authorization": signed}
    return parse_head(method, path, headers.get, request_id="the-id")


def fault(**request: str | None) -> tuple[str, str]:
    with pytest.raises(Fault) as caught:
        head(**request)  # type: ignore[arg-type]
    return caught.value.code, caught.value.message


def test_signed_request() -> None:
    parsed = head(signed=authorization())
    assert (parsed.service, parsed.operation, parsed.codec) == ("Kinesis_20131202", "ListStreams", Codec.JSON)
    assert (parsed.account, parsed.region) == ("000000000000", "eu-west-1")


def test_unsigned_request_belongs_to_the_default_account_and_region() -> None:
    assert (head().account, head().region) == ("000000000000", "us-east-1")
    headers = {"content-type": JSON, "x-amz-target": TARGET}
    assert parse_head("POST", "/", headers.get, request_id="the-id", default_region="eu-north-1").region == "eu-north-1"


def test_presigned_request() -> None:
    path = (
        f"/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=123456789012%2F{SCOPE.replace('/', '%2F')}&X-Amz-Date=x"
    )
    parsed = head(path=path)
    assert (parsed.account, parsed.region) == ("123456789012", "eu-west-1")


@pytest.mark.parametrize(
    ("access_key_id", "account"),
    [
        ("123456789012", "123456789012"),
        ("test", "000000000000"),
        ("", "000000000000"),
        ("12345678901", "000000000000"),
        ("١٢٣٤٥٦٧٨٩٠١٢", "000000000000"),
        ("ASIAQNZGKIQY56JQ7WML", "029608264753"),
        ("ASIAY34FZKBOKMUTVV7A", "609629065308"),
        ("AKIAIOSFODNN7EXAMPLE", "000000000000"),  # issued before ids held accounts
        ("AKIA0000000000000000", "000000000000"),  # no base32
        ("AROAQNZGKIQY56JQ7WML", "000000000000"),
        ("ASIAQNZGKIQY56JQ7WMLX", "000000000000"),
        ("ASIA7777777777777777", "000000000000"),  # more than twelve digits
    ],
)
def test_account_of_access_key(access_key_id: str, account: str) -> None:
    assert head(signed=authorization(access_key_id)).account == account


@pytest.mark.parametrize(
    ("content_type", "codec"),
    [
        (JSON, Codec.JSON),
        ("application/x-amz-json-1.0", Codec.JSON),
        ("application/json; charset=utf-8", Codec.JSON),
        ("  Application/X-Amz-Json-1.1 ;whatever", Codec.JSON),
        ("application/x-amz-cbor-1.1", Codec.CBOR),
    ],
)
def test_codec_by_content_type(content_type: str, codec: Codec) -> None:
    assert head(content_type=content_type).codec is codec


def test_request_ids_look_like_uuids_and_differ() -> None:
    ids = {new_request_id() for _ in range(100)}
    assert len(ids) == 100
    assert all([len(part) for part in request_id.split("-")] == [8, 4, 4, 4, 12] for request_id in ids)


def test_handlers_are_told_of_the_call() -> None:
    context = head(signed=authorization("123456789012")).context()
    assert context == CallContext("ListStreams", "123456789012", "eu-west-1", "the-id", Codec.JSON)


UNDETERMINED = ("AccessDeniedException", "Unable to determine service/operation name to be authorized")


def test_only_post_calls_operations() -> None:
    assert fault(method="GET") == UNDETERMINED


@pytest.mark.parametrize("target", [None, "", "Kinesis_20131202", "Kinesis_20131202.", ".ListStreams"])
def test_target_that_names_no_operation(target: str | None) -> None:
    assert fault(target=target) == ("UnknownOperationException", "")
    assert fault(target=target, content_type=None) == UNDETERMINED


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/x-amz-json-1.1asdf"])
def test_content_type_that_is_none_of_the_protocols(content_type: str | None) -> None:
    assert fault(content_type=content_type) == ("UnknownOperationException", "")


def test_authorization_that_says_too_little() -> None:
    assert fault(signed="X") == (
        "IncompleteSignatureException",
        (
            "Authorization header requires 'Credential' parameter. "
            "Authorization header requires 'Signature' parameter. "
            "Authorization header requires 'SignedHeaders' parameter. "
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "
            "Authorization=X"
        ),
    )


@pytest.mark.parametrize("credential", ["", " ", "a", "test/20260101/us-east-1/kinesis", "a/b/c/d/e/f"])
def test_credential_that_is_no_scope(credential: str) -> None:
    code, message = fault(signed=f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=abc")
    assert code == "IncompleteSignatureException"
    assert message.startswith("Credential must have exactly 5 slash-delimited elements")


@pytest.mark.parametrize("region", ["", "a b", "..", "r" * 65, "überall"])
def test_region_that_is_none(region: str) -> None:
    code, _ = fault(signed=authorization(scope=f"20260101/{region}/kinesis/aws4_request"))
    assert code in ("InvalidSignatureException", "IncompleteSignatureException")


def test_presigned_request_that_says_too_little() -> None:
    assert fault(path="/?X-Amz-Algorithm") == (
        "IncompleteSignatureException",
        (
            "AWS query-string parameters must include 'X-Amz-Algorithm'. "
            "AWS query-string parameters must include 'X-Amz-Credential'. "
            "AWS query-string parameters must include 'X-Amz-Signature'. "
            "AWS query-string parameters must include 'X-Amz-SignedHeaders'. "
            "AWS query-string parameters must include 'X-Amz-Date'. "
            "Re-examine the query-string parameters."
        ),
    )


def test_request_signed_in_both_ways() -> None:
    assert fault(path="/?X-Amz-Algorithm=a", signed=authorization()) == (
        "InvalidSignatureException",
        "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
    )
