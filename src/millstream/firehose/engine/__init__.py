"""The delivery engine: from a log to a destination, losing nothing and, where the destination can, repeating nothing.

    source ─chunks─► chain ─records by lane─► buffers ─cut─► parcels ─recorded─► destination ─► settled

`buffers` hold records until their lane is due, in memory and in a `spool`; `ledger` is the bookkeeping that survives a
crash; `delivery` is the loop around them; `pipeline` puts one delivery stream together; `worker` runs them all.
Everything that is held can be had again from the log, so a fault anywhere is answered as a crash would be: by starting
again from what is recorded.
"""
