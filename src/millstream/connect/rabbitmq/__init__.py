"""RabbitMQ to streams and delivery streams.

Flows in: the messages of a queue. Flows out: records, by PutRecords or PutRecordBatch. Promises: a message is
acknowledged to RabbitMQ only once the destination has answered that it has it; whatever is killed on the way, nothing
is lost, and only what was not acknowledged comes twice. What is held in memory is bounded, however long the destination
is away.
"""

from __future__ import annotations

from millstream.connect.rabbitmq.connector import Connector
from millstream.connect.rabbitmq.options import Options, find_broker
from millstream.connect.rabbitmq.records import Oversize, Shaping

__all__ = ["Connector", "Options", "Oversize", "Shaping", "find_broker"]
