"""Iceberg tables: rows in, data files and a commit out, by pyiceberg.

`catalog` keeps which metadata file each table has now, in SQLite; `storage` keeps the files in the object store,
`upkeep` drops old snapshots. All load pyiceberg, and are imported by the Iceberg destination only.
"""
