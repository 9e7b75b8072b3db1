"""Glue: the table definitions that record format conversion takes its columns from.

Flows in: calls of a subset of the Glue API (databases, tables and their versions, on the same endpoint and port as all
else). Flows out: tables, to callers and, through Firehose's port `Tables`, to the worker. A table is one document in
the catalog, shaped as Glue shapes it; a change is durable before its caller is answered. There are no crawlers, jobs or
partitions here. Imports base, wire, catalog, and the ports of firehose, one of which it fills.
"""

from millstream.glue.operations import operations_of
from millstream.glue.service import GlueService
from millstream.glue.tables import GlueTables

__all__ = ["GlueService", "GlueTables", "operations_of"]
