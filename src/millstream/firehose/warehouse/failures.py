"""What went wrong in a warehouse, in the words of AWS's error logs ("Data delivery errors: Amazon Redshift")."""

from __future__ import annotations

import re
from typing import NamedTuple

import psycopg

from millstream.firehose.ports import DeliveryError


class _Sign(NamedTuple):
    """Part of a message, and what it is a sign of."""

    text: re.Pattern[str]
    code: str


_STATES = {
    "42P01": "Redshift.TableNotFound",
    "3F000": "Redshift.TableNotFound",
    "42703": "Redshift.ColumnNotFound",
    "28P01": "Redshift.AuthenticationFailed",
    "28000": "Redshift.AuthenticationFailed",
    "3D000": "Redshift.DatabaseNotFound",
    "42601": "Redshift.SyntaxError",
    "42501": "Redshift.InsufficientPrivilege",
    "25006": "Redshift.ReadOnlyCluster",
    "53100": "Redshift.DiskFull",
    "57P01": "Redshift.ConnectionFailed",
    "57P03": "Redshift.ConnectionFailed",
    "53300": "Redshift.ConnectionFailed",
    "55P03": "Redshift.TableLocked",
}
_SIGNS = [
    _Sign(re.compile(text, re.IGNORECASE), code)
    for text, code in (
        (r"stl_load_errors|sys_load_error_detail", "Redshift.DataLoadFailed"),
        (r"not authorized to assume|AssumeRole", "Redshift.AccessDenied"),
        (r"S3ServiceException.*(Access ?Denied|Forbidden)", "Redshift.S3BucketAccessDenied"),
        (r"S3ServiceException.*(PermanentRedirect|region)", "Redshift.IncorrectOrMissingRegion"),
        (r"S3ServiceException.*(NoSuchKey|NotFound)|S3 prefix .* does not exist", "Redshift.MissingS3File"),
        (r"jsonpath", "Redshift.IncorrectJsonPathsFile"),
        (r"(conflicting|redundant) .*option", "Redshift.IncorrectCopyOptions"),
        (r"password authentication failed|no password supplied", "Redshift.AuthenticationFailed"),
        (r'database ".*" does not exist', "Redshift.DatabaseNotFound"),
        (r"role \".*\" does not exist", "Redshift.AuthenticationFailed"),
    )
]


def from_server(error: Exception) -> DeliveryError:
    """A psycopg error in AWS's words."""
    message = str(error).strip() or type(error).__name__
    if code := next((sign.code for sign in _SIGNS if sign.text.search(message)), None):
        return DeliveryError(code, message)
    state = getattr(error, "sqlstate", None)
    if state in _STATES:
        return DeliveryError(_STATES[state], message)
    if state and state[:2] in ("22", "23"):  # data exceptions, constraints
        return DeliveryError("Redshift.DataLoadFailed", message)
    if isinstance(error, psycopg.OperationalError):
        return DeliveryError("Redshift.ConnectionFailed", message)
    return DeliveryError("Redshift.InternalError", message)
