"""What can go wrong between a program and a Kinesis endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from millstream.base.errors import MillstreamError

THROTTLES = frozenset(
    {
        "KMSThrottlingException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_PASSING = THROTTLES | {
    "InternalFailure",
    "InternalFailureException",
    "InternalServerError",
    "InternalServerException",
    "ResourceInUseException",  # a stream that is being made, or a table
}
_PASSING_STATUS = frozenset({408, 429})  # of proxies, whose answers have no code
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})


class ClientError(MillstreamError):
    """A call did not do what was asked; the text tells a person what to do."""

    is_passing = False
    """Whether the same call may succeed a little later."""


class ConfigurationError(ClientError):
    """What the caller, or the environment, said makes no sense: nothing was called."""


class CallError(ClientError):
    """The service refused a call: `code` and `message` are the service's, `status` is HTTP's."""

    def __init__(self, operation: str, code: str, message: str, status: int) -> None:
        super().__init__(f"{operation}: {message} ({code})" if message else f"{operation}: {code}")
        self.operation = operation
        self.code = code
        self.message = message
        self.status = status

    @property
    def is_throttle(self) -> bool:
        """Whether the caller should slow down."""
        return self.code in THROTTLES or self.status == 429

    @property
    def is_passing(self) -> bool:  # type: ignore[override]
        """Whether the same call may succeed a little later."""
        if self.status >= 500 or self.status in _PASSING_STATUS:
            return True
        return self.code in _PASSING or self.code in _EXPIRED


class Unreachable(ClientError):
    """Nobody answered, or the answer broke off: whether the call took effect is not known."""

    is_passing = True


@contextmanager
def understanding(operation: str) -> Iterator[None]:
    """Around the reading of an answer: one that lacks what it must have counts as none. Raises Unreachable."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise Unreachable(f"{operation}: the answer is no answer: {error!r}") from error
