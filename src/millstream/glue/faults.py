"""The faults of Glue's API. Texts are AWS's where they are known. Glue spells the text's member `Message`."""

from __future__ import annotations

from millstream.wire.faults import Fault


class EntityNotFoundException(Fault):
    """There is no such database, table or version."""

    message_key = "Message"


class AlreadyExistsException(Fault):
    """There is a database or a table of that name."""

    message_key = "Message"


class InvalidInputException(Fault):
    """A parameter is well formed but cannot be used."""

    message_key = "Message"


class ConcurrentModificationException(Fault):
    """The table is no longer at the version that the caller names."""

    message_key = "Message"
