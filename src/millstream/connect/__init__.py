"""Connect: other systems to streams and back: RabbitMQ into them, log subscriptions out of them.

Flows in: messages of a queue; records of a stream. Flows out: records, through the public API of `millstream.client`;
documents, to connectors. Promises: what was taken is acknowledged, or checkpointed, only once the other side has it.
Imports base and client.
"""
