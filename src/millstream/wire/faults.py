"""The errors that callers see: one tree, each with AWS's code and HTTP status.

A fault's text is AWS's own wording wherever AWS's is known. The code of a fault is the name of its class, as it
stands in the reply's `__type`. Kinesis sends plain codes, without a `namespace#` prefix.

Sources: the exception shapes of the service models; the Kinesis API reference, "Common Errors"; replies of AWS
recorded by the tests of emulators (codes of requests that never reach an operation).
"""

from __future__ import annotations

from typing import Any, ClassVar

from millstream.base.errors import MillstreamError


class Fault(MillstreamError):
    """An error that is answered to the caller as `status` with `code` and `message`.

    An empty message is left out of the reply, as AWS does for some codes.
    """

    code: ClassVar[str] = "InternalFailure"
    status: ClassVar[int] = 400
    message_key: ClassVar[str] = "message"

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.code = cls.__name__

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message

    def document(self) -> dict[str, Any]:
        """The members of the error document, in the order in which AWS writes them."""
        document: dict[str, Any] = {"__type": self.code}
        if self.message:
            document[self.message_key] = self.message
        return document


# Requests that do not reach an operation.


class UnknownOperationException(Fault):
    """The target names no operation of the service."""


class UnsupportedOperationException(Fault):
    """The operation is in AWS's model but not in this version of Millstream."""


class SerializationException(Fault):
    """The body is not what the codec or the operation's shapes say. AWS spells its member `Message`."""

    message_key = "Message"


class ValidationException(Fault):
    """A member breaks a constraint of its shape."""


class RequestEntityTooLargeException(Fault):
    """The body is larger than the server takes."""

    status = 413


class RequestTimeoutException(Fault):
    """The body did not arrive in time."""

    status = 408


class AccessDeniedException(Fault):
    """The caller may not do this, or it cannot be told what the caller wants to do."""


class MissingAuthenticationTokenException(Fault):
    """The request is not signed, and must be."""


class IncompleteSignatureException(Fault):
    """The signature lacks a part that says who signs for which region."""


class InvalidSignatureException(Fault):
    """The signature contradicts itself or the request."""


# What operations answer.


class ResourceNotFoundException(Fault):
    """The stream, shard or consumer is not there."""


class ResourceInUseException(Fault):
    """The resource's state does not allow the operation now."""


class InvalidArgumentException(Fault):
    """An argument is well formed but cannot be used."""


class LimitExceededException(Fault):
    """A quota of the account is used up, or control-plane calls come too fast."""


class ProvisionedThroughputExceededException(Fault):
    """The shard's throughput is used up for now; the caller should back off and retry."""


class ThrottlingException(Fault):
    """Calls come too fast; the caller should back off and retry."""


class ExpiredIteratorException(Fault):
    """The shard iterator is older than five minutes."""


class ExpiredNextTokenException(Fault):
    """The pagination token is older than five minutes."""


class DryRunOperationException(Fault):
    """The call would have succeeded, had it not been a dry run."""


class ConcurrentModificationException(Fault):
    """The resource was changed since the caller last looked; Firehose."""


class InvalidKMSResourceException(Fault):
    """The key that is to encrypt a delivery stream cannot be used; Firehose."""


class ServiceUnavailableException(Fault):
    """A delivery stream takes no more for now; the caller should back off and retry. Firehose."""

    status = 503


class KMSDisabledException(Fault):
    """The stream's key is disabled."""


class KMSInvalidStateException(Fault):
    """The stream's key is in a state that does not allow its use."""


class KMSAccessDeniedException(Fault):
    """The caller may not use the stream's key."""


class KMSNotFoundException(Fault):
    """There is no such key."""


class KMSOptInRequired(Fault):
    """The key's service is not available to the account."""


class KMSThrottlingException(Fault):
    """The key's service throttles."""


# Our own failures.


class InternalFailure(Fault):
    """Something failed on our side; SDKs retry it."""

    status = 500


class InternalFailureException(Fault):
    """InternalFailure under the name that the service model and event streams give it."""

    status = 500


class ServiceUnavailable(Fault):
    """The server is stopping or cannot take this now; SDKs retry it."""

    status = 503
