"""Telemetry: what Millstream tells of itself. So far log events, in CloudWatch Logs' words.

Flows in: events of a log group and log stream, from the worker. Flows out: pages of events, to the api process and its
commands. Promises: bounded however much goes wrong (the oldest events of a log stream make room for new ones); writing
never holds up delivery for a sync, so the last events may be lost with the machine's power. Imports base and catalog.
"""

from millstream.telemetry.logs import LogEvent, LogGroups, LogsError

__all__ = ["LogEvent", "LogGroups", "LogsError"]
