"""Incremental operators: batches of rows in, batches out, state that can be saved; one module a kind of window or
join."""
