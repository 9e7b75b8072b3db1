"""What calls functions, and how that fails."""

from __future__ import annotations

from typing import Protocol

from millstream.base.errors import MillstreamError


class FunctionError(MillstreamError):
    """A function did not answer as it should; `code` as in AWS's error logs ("Lambda.InvokeAccessDenied", …)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Functions(Protocol):
    """Functions that process records."""

    async def invoke(self, arn: str, payload: bytes, timeout_s: float) -> bytes:
        """Call a function and return what it answered. Raises FunctionError."""
        ...
