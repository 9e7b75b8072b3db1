"""Subscriptions: matching events of a log group go to a stream or a delivery stream, as gzip records of JSON.

    PutLogEvents ─► log ─► wake ─► Feed: follow ─► match ─► records, by log stream ─► Destinations.put ─► position saved

One `Feed` (a task) a filter; an idle one costs nothing but its place in memory. What a filter has delivered is a
position in its group's log, kept in the filter's document: at least once, in order within a log stream, through every
restart. What cannot be delivered is tried again for as long as the group keeps it. `Subscriptions` has them all:

    subscriptions = Subscriptions(catalog, store, destinations, clock)     # store: LogGroupStore
    await subscriptions.start()                                           # once the store has its groups
    await subscriptions.close()                                           # before the store closes
"""

from __future__ import annotations

from millstream.logs.subscriptions.ports import Destination, Destinations, Kind, Outcome, Outgoing
from millstream.logs.subscriptions.registry import Subscriptions

__all__ = ["Destination", "Destinations", "Kind", "Outcome", "Outgoing", "Subscriptions"]
