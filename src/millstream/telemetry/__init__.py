"""Telemetry: what Millstream tells of itself. So far log events, on their way to log groups.

Flows in: events for a log group and log stream, from the worker and the processes of applications. Flows out: those
events, to the process that has the log groups. Promises: bounded however much goes wrong (the oldest events of a log
stream make room for new ones); writing never holds up delivery for a sync, so the last events may be lost with the
machine's power. Imports base only.
"""

from millstream.telemetry.outbox import Outbox, OutboxError, OutgoingEvent

__all__ = ["Outbox", "OutboxError", "OutgoingEvent"]
