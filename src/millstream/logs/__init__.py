"""Logs: CloudWatch Logs: log groups, log streams, events, retention, and subscriptions to them.

Flows in: events, from callers of PutLogEvents and from the platform's own parts. Flows out: events by time and by
pattern; batches of matching ones, to streams and delivery streams. Imports the rooms below the services, not the other
services.

Promises
- An event is on disk before PutLogEvents returns, and from then on every reader finds it.
- Events come in the order of their times, those of one time in the order of their arrival, however they were put.
- What has expired is gone for readers at once; its space is given back a segment at a time.
- Subscriptions deliver at least once, in order within a log stream.
- Memory is bounded by the groups that are in use: an index of some thousand entries a log stream at most, and no more
  than a page and a piece of log a reader.

A group is one log with a shard a log stream (`group`), opened when it is needed (`lending`). `chunks` is the index by
time, `savedindex` keeps it over restarts, `sweep` reads in the order of times; `store` has all groups, `operations` the
API, `subscriptions` who follows groups, `patterns` the languages of filters.
"""

from millstream.logs.operations import LogsApi
from millstream.logs.savedindex import SavedIndexes
from millstream.logs.service import LogsService, LogsSettings

__all__ = ["LogsApi", "LogsService", "LogsSettings", "SavedIndexes"]
