"""Log subscriptions out of a data stream: gzip records of CloudWatch Logs into documents, documents to a connector.

    consume (millstream.client) --records--> messages.events_of --events--> documents --batches--> Connector.write

Promises: a batch's checkpoint is written only after its connector has everything that was in it, so nothing is lost and
what was under way when a consumer died is written again, with the same ids. Several consumers of one group share the
stream's shards. Connectors are plug-ins: see `connector`.
"""

from millstream.connect.subscription.connector import Connector, ConnectorError, Settings
from millstream.connect.subscription.messages import LogEvent

__all__ = ["Connector", "ConnectorError", "LogEvent", "Settings"]
