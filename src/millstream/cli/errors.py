"""What goes wrong for the user of a command."""

from millstream.base.errors import MillstreamError


class CommandError(MillstreamError):
    """A command cannot do what was asked; the text is one helpful line."""


class UsageError(CommandError):
    """The arguments do not fit together."""
