"""The faults of this service that no other service of the server has."""

from __future__ import annotations

from typing import Any

from millstream.wire.faults import Fault


class CodeValidationException(Fault):
    """The program is wrong: the message is the report of a SqlError."""


class InvalidApplicationConfigurationException(Fault):
    """The application cannot be started as it is configured."""


class TooManyTagsException(Fault):
    """The application has as many tags as it may have."""


class UnableToDetectSchemaException(Fault):
    """The sampled records have no form that a schema could describe; they are part of the answer."""

    def __init__(self, message: str, raw: list[str], processed: list[str]) -> None:
        super().__init__(message)
        self._records = {"RawInputRecords": raw, "ProcessedInputRecords": processed}

    def document(self) -> dict[str, Any]:
        """The members of the error document."""
        return {**super().document(), **{name: records for name, records in self._records.items() if records}}
