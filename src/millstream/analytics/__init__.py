"""Analytics: Kinesis Data Analytics for SQL. Applications read a stream, run continuous SQL, and write what comes
out.

    text --language--> statements --plan--> relational plan --engine--> operators
    log --records--> rows --engine, operators, scalars, learning--> rows --records--> streams, delivery streams,
    functions

Everything an application does is a function of the rows of its one source, in the order of the log, and of the times
at which it was told
how late it is. It never depends on how that input was cut into batches (`operators.frames` says how).
May import: base, wire, catalog, security, telemetry, log, objects, functions. Not streams, not firehose.
"""
