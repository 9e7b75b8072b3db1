"""Base: what every room may use: clock, delays, units, hash keys, the root of our errors.

Flows in: nothing. Flows out: values. Imports nothing of ours and does no I/O.
"""
