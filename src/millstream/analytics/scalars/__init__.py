"""Values: SQL's types, typed scalar expressions, the functions on them, and how they run as Polars expressions over
whole batches."""
