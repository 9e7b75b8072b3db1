"""What went wrong at an S3-compatible store, as one StoreError whatever library found it."""

from __future__ import annotations

import re
from typing import Any

from millstream.objects.port import ObjectMissing, StoreError

_CODE = re.compile(r"<Code>\s*([\w.-]+)\s*</Code>")
_MESSAGE = re.compile(r"<Message>\s*([^<]*?)\s*</Message>")
_CERTIFICATE = re.compile(r"InvalidCertificate\(\s*(?:Other\(\s*OtherError\(\s*)?(\w+)")
_CAUSE = re.compile(r'message: "([^"]+)"')
_STATUS = re.compile(r"status code: (\d{3})")

_BY_STATUS = {
    "301": "PermanentRedirect",
    "307": "TemporaryRedirect",
    "400": "InvalidRequest",
    "401": "AccessDenied",
    "403": "AccessDenied",
    "404": "NoSuchKey",
    "405": "MethodNotAllowed",
    "408": "RequestTimeout",
    "411": "MissingContentLength",
    "413": "EntityTooLarge",
    "429": "SlowDown",
    "500": "InternalError",
    "501": "NotImplemented",
    "503": "SlowDown",
    "507": "InsufficientStorage",
}

_ADVICE = {
    "AccessDenied": "let the configured credentials put objects into this bucket",
    "AccountProblem": "see to the account at the store's provider",
    "AllAccessDisabled": "see to the account at the store's provider",
    "AuthorizationHeaderMalformed": "set s3_region to the bucket's region",
    "ExpiredToken": "renew the session token",
    "IllegalLocationConstraintException": "set s3_region to the bucket's region",
    "InsufficientStorage": "free some space at the store",
    "InternalError": "it is tried again; if it goes on, look at the store's own log",
    "InvalidAccessKeyId": "check s3_access_key_id or AWS_ACCESS_KEY_ID",
    "InvalidToken": "renew the session token",
    "KMS.DisabledException": "enable the key, or choose another one",
    "KMS.NotFoundException": "check the key of the encryption configuration",
    "MethodNotAllowed": "let the bucket's policy allow putting objects",
    "NoSuchBucket": "create the bucket, or use one that exists",
    "NotSignedUp": "sign the account up for S3",
    "PermanentRedirect": "set s3_region and s3_endpoint to the bucket's",
    "RequestTimeTooSkewed": "set this machine's clock",
    "RequestTimeout": "the store does not answer in time: see whether it is up and reachable; it is tried again",
    "ServiceUnavailable": "see whether the store is up and s3_endpoint is right; it is tried again",
    "SignatureDoesNotMatch": "check s3_secret_access_key or AWS_SECRET_ACCESS_KEY",
    "SlowDown": "the store asks for fewer requests; it is tried again, more slowly",
}


def store_error(code: str, message: str, where: str) -> StoreError:
    """The error with what to do about it; `where` names bucket and key."""
    kind = ObjectMissing if code == "NoSuchKey" else StoreError
    advice = f" ({_ADVICE[code]})" if code in _ADVICE else ""
    return kind(code, f"{where}: {message or code}{advice}")


def from_obstore(error: Exception, where: str) -> StoreError:
    """What an exception of obstore means; the store's answer stands in its text, if there was one."""
    text = str(error)
    status = _STATUS.search(text)
    message = _MESSAGE.search(text)
    if code := _CODE.search(text):
        return store_error(code[1], message[1] if message else "", where)
    if status:
        return store_error(_BY_STATUS.get(status[1], "InternalError"), f"the store answered {status[1]}", where)
    return _without_answer(text, where)


def _without_answer(text: str, where: str) -> StoreError:
    """The store did not answer: why, obstore says only in the dump of the error that follows its text."""
    reason = text.split("\n", 1)[0]
    if certificate := _CERTIFICATE.search(text):
        trust = f"its certificate is not trusted ({certificate[1]}); AWS_CA_BUNDLE names a file of authorities that are"
        return store_error("ServiceUnavailable", trust, where)
    if cause := _CAUSE.search(text):
        reason = f"{reason}: {cause[1]}"
    is_timeout = "TimedOut" in text or "timed out" in text
    return store_error("RequestTimeout" if is_timeout else "ServiceUnavailable", reason, where)


def from_botocore(error: Exception, where: str) -> StoreError:
    """What an exception of botocore means."""
    response: dict[str, Any] | None = getattr(error, "response", None)
    if response:
        code = str(response.get("Error", {}).get("Code", ""))
        code = _BY_STATUS.get(code, code)  # HEAD has no body: the status is all there is
        return store_error(code or "InternalError", str(response["Error"].get("Message", "")), where)
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & {"NoCredentialsError", "CredentialRetrievalError", "PartialCredentialsError"}:
        advice = "no credentials: set s3_access_key_id and s3_secret_access_key, or AWS_ACCESS_KEY_ID and so on"
        return StoreError("AccessDenied", f"{where}: {advice}")
    is_timeout = bool(names & {"ReadTimeoutError", "ConnectTimeoutError"})
    return store_error("RequestTimeout" if is_timeout else "ServiceUnavailable", str(error), where)
