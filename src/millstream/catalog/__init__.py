"""The catalog: desired state as small versioned documents, changed by compare-and-set.

Flows in: documents (kind, account, region, name) with the version that the writer last saw. Flows out: documents, and
`VersionConflict` where someone else was faster. A change is on disk when the call returns. Callers change desired
state with it, never records: no request on the data plane waits on the catalog. Imports base only.
"""

from millstream.catalog.port import Catalog, CatalogError, Document, VersionConflict
from millstream.catalog.sqlite import SqliteCatalog

__all__ = ["Catalog", "CatalogError", "Document", "SqliteCatalog", "VersionConflict"]
