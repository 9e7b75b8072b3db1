"""Records and rows: schemas, decoding records into rows, encoding rows as records, discovering a schema.

log blocks --unpacking--> Records --decode.Decoder--> Rows       object --tables.read_table--> ReferenceTable
rows --encode--> records                                         sample --discovery.discover--> Schema
"""
