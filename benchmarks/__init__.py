"""Side by side: Millstream and the other self-hosted Kinesis and Firehose servers, under one load, in one run.

`python -m benchmarks` installs the peers it can (pinned versions, into `benchmarks/.peers/`), then works in
rounds: each round starts every server in turn, fresh and on an empty directory, and measures it. A figure is the
median of its rounds, so that a burst of noise on the machine falls on all servers alike and mostly drops out.

From the inside out:

- `rendering` renders HTTP requests, `load` drives them over raw sockets as cheaply as Python can, since the load
  generator shares the machine's cores with the server; `client` makes the few calls where speed does not matter.
- `servers` says how each server is started and what it keeps on disk; `install` gets the peers; `process` runs a
  server and accounts for its CPU time and memory.
- `measures` are the figures of a round; `deliveries` those of Millstream's delivery, of the `events`; `largelog` those
  that need gigabytes.
- `goals` are the figures Millstream has promised; `report` prints figures, ratios and goals.
"""
