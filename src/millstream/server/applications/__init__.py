"""SQL applications at work: a process each, a child of the api process, which puts their results and keeps their
status.

    api process  ── runner ── channel (the child's standard input and output) ──  application process

An application that needs too much memory, or meets a mistake of ours, ends alone.
"""
