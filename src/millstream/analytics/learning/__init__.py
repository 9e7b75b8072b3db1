"""What learns and estimates: random cut forests, hotspots, distinct counts, frequent items.

Rows of numbers in, scores and texts out; no frames, no clock, no SQL types. Everything here is deterministic: what
looks random is a hash of a seed and a place (`randomness`), so results depend on the order of the rows alone, never
on how they were cut into calls. May import nothing of the project but `base`.
"""
