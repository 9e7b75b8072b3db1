"""The root of Millstream's own errors."""


class MillstreamError(Exception):
    """An error that Millstream raises on purpose; its text is meant for a person."""
