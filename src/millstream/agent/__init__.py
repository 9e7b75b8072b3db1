"""Agent: log files in, records out: it follows files through rotation and puts what is written to them into streams.

Takes the Java agent's agent.json. Flows in: bytes appended to files. Flows out: records, through the public API of
`millstream.client`. Promises: nothing written to a followed file is skipped; what was acknowledged before a kill is not
sent again. Imports base and client.
"""
