"""Processing: what happens to records between a delivery stream's source and its buffers.

    source ─► KPL and record de-aggregation, decompression, extraction ─► partition keys ─► delimiter ─► lanes

Flows in: chunks of a log. Flows out: records by lane; what cannot be processed goes to a failure lane as lines of
AWS's error-output JSON, never lost and never an exception. May import base, log and the ports of `firehose`.

All that is done here is deterministic and free of I/O, but for functions: a delivery stream with a Lambda processor
has a stage of its own (`transformation`) that calls the function and keeps what it answered in a journal, which is then
the source that the rest works from.

`chain.build_chain` is the door. This module imports nothing, so that checks of parameters cost no more than they need.

- `chain` puts the processors together, in AWS's order; `splitting` runs those before the function.
- `aggregation` (KPL), `deaggregation` (JSON and delimited), `decompression`, `cloudwatch`, `delimiter`: one each.
- `partitioning` finds partition keys: `paths` understands simple queries, `fields` decodes just what those need,
  `jqquery` runs all others, within bounds in a `jqprocess`.
- `functions` calls Lambda over HTTP, `invocation` makes its events and checks its replies, `journal` keeps the results.
"""
