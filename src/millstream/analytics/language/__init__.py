"""The dialect: text in, syntax trees (sqlglot expressions, and nodes of our own for what streams add) out, or
SqlError."""
