"""The engine: a plan made into a data flow, run cycle by cycle, saved and restored."""
