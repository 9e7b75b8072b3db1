"""What goes wrong with a destination, told once and in plain words, not at every attempt."""

from __future__ import annotations

import logging

from millstream.base.clock import Clock
from millstream.client.errors import CallError, ClientError

log = logging.getLogger("millstream.agent")

_REPEAT_S = 60.0
_ADVICE = {
    "AccessDeniedException": "allow the agent's credentials to put records there",
    "ExpiredTokenException": "renew the agent's credentials",
    "IncompleteSignature": "check the agent's credentials",
    "InvalidSignatureException": "check the agent's secret key",
    "KMSAccessDeniedException": "allow the agent's credentials to use the stream's key",
    "KMSDisabledException": "enable the stream's key",
    "MissingAuthenticationToken": "give the agent credentials",
    "ResourceNotFoundException": "create it, or correct the flow's name, region and endpoint",
    "UnknownOperationException": "check that the endpoint is one of Kinesis or Firehose",
    "UnrecognizedClientException": "check the agent's access key",
}


class Troubles:
    """The log lines about one destination: the first of a kind at once, then one a minute, and one when it is over."""

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._since_s: float | None = None
        self._is_told = False
        self._told_s: dict[str, float] = {}

    def note(self, problem: ClientError) -> None:
        """Something was not taken, and will be sent again."""
        now_s = self._clock.monotonic()
        if self._since_s is None:
            self._since_s = now_s
        kind = problem.code if isinstance(problem, CallError) else type(problem).__name__
        if now_s - self._told_s.get(kind, -_REPEAT_S) < _REPEAT_S:
            return
        self._told_s[kind] = now_s
        self._is_told = True
        advice = "" if problem.is_passing else f"; {_ADVICE.get(kind, 'correct that')}"
        log.warning("%s: %s%s: nothing is lost, the agent keeps trying", self._name, problem, advice)

    def note_success(self) -> None:
        """All of a request was taken."""
        if self._since_s is None:
            return
        if self._is_told:
            log.info("%s takes records again, after %.1f s", self._name, self._clock.monotonic() - self._since_s)
        self._since_s, self._is_told = None, False
