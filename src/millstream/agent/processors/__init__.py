"""Processors: what a flow's dataProcessingOptions make of its records before they are sent.

A chain takes records and gives records, one for one, each with a line end; or None in the place of a record that a
processor could not take, which is told to `on_reject` as it was read, with the reason, and counted. Nothing that a
record contains raises. Pure functions of the record, but for the host's metadata, asked for once, and the time.
"""

from __future__ import annotations

import collections
import difflib
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from millstream.agent.hostmetadata import host_metadata as _host_metadata
from millstream.agent.processors.converter import Converter, Rejected
from millstream.agent.processors.csvtojson import csvtojson
from millstream.agent.processors.fields import ToFields, encode_all
from millstream.agent.processors.logtojson import logtojson
from millstream.agent.processors.metadata import HostMetadata, addec2metadata, addmetadata
from millstream.agent.processors.options import Options
from millstream.agent.processors.singleline import singleline
from millstream.base.clock import Clock, SystemClock
from millstream.client.errors import ConfigurationError

__all__ = ["Chain", "OnReject", "OptionsError", "check_options", "make_chain"]

OnReject = Callable[[bytes, str], None]
"""Called with a record, as it was read, and why it was dropped; must not raise."""

T = TypeVar("T")

OPTION_NAMES = ("SINGLELINE", "CSVTOJSON", "LOGTOJSON", "ADDMETADATA", "ADDEC2METADATA")


class OptionsError(ConfigurationError):
    """The options cannot be used; `problems` has all that is wrong, each with its key's place."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Chain:
    """Processors, one after another."""

    def __init__(self, converters: Iterable[Converter], on_reject: OnReject) -> None:
        self._converters = tuple(converters)
        self._on_reject = on_reject
        self.rejected: collections.Counter[str] = collections.Counter()
        """How many records were dropped, by reason."""

    def process(self, records: list[bytes]) -> list[bytes | None]:
        """What becomes of each record, None if it is dropped. Without processors the records as they are."""
        if not self._converters:
            return list(records)
        first, *others = self._converters
        if others:
            return [self._through_all(record) for record in records]
        return (
            encode_all(self._each(records, first.read)) if isinstance(first, ToFields) else self._each(records, first)
        )

    def _each(self, records: list[bytes], convert: Callable[[bytes], T]) -> list[T | None]:
        out: list[T | None] = []
        for record in records:
            try:
                out.append(convert(record))
            except Rejected as rejected:
                self._reject(record, rejected)
                out.append(None)
        return out

    def _through_all(self, record: bytes) -> bytes | None:
        out = record
        try:
            for convert in self._converters:
                out = convert(out)
        except Rejected as rejected:
            self._reject(record, rejected)
            return None
        return out

    def _reject(self, record: bytes, rejected: Rejected) -> None:
        self.rejected[rejected.reason] += 1
        self._on_reject(record, rejected.reason)


def make_chain(
    options: tuple[dict[str, Any], ...],
    on_reject: OnReject,
    *,
    clock: Clock | None = None,
    host_metadata: HostMetadata = _host_metadata,
) -> Chain:
    """The chain that a flow's dataProcessingOptions describe. Asks nobody anything before the first record.

    Raises OptionsError, a ConfigurationError, that names everything that is wrong.
    """
    makers = _makers(clock or SystemClock(), host_metadata)
    converters, problems, _ = _read(options, makers)
    if problems:
        raise OptionsError(problems)
    return Chain(converters, on_reject)


def check_options(options: tuple[Any, ...]) -> tuple[list[str], list[str]]:
    """All problems of dataProcessingOptions, and all warnings: keys that mean nothing. Places are within the flow."""
    _, problems, warnings = _read(options, _makers(SystemClock(), _host_metadata))
    return problems, warnings


Maker = Callable[[Options], Converter]


def _makers(clock: Clock, host_metadata: HostMetadata) -> dict[str, Maker]:
    def makes_metadata(options: Options) -> Converter:
        return addmetadata(options, clock)

    def makes_host_metadata(options: Options) -> Converter:
        return addec2metadata(options, host_metadata)

    makers = (singleline, csvtojson, logtojson, makes_metadata, makes_host_metadata)
    return dict(zip(OPTION_NAMES, makers, strict=True))


def _read(options: Iterable[Any], makers: dict[str, Maker]) -> tuple[list[Converter], list[str], list[str]]:
    converters: list[Converter] = []
    problems: list[str] = []
    warnings: list[str] = []
    for number, entry in enumerate(options):
        path = f"dataProcessingOptions[{number}]"
        name = entry.get("optionName") if isinstance(entry, dict) else None
        if not isinstance(name, str) or name.upper() not in makers:
            problems.append(_no_such_option(path, name))
            continue
        reader = Options(entry, path)
        converters.append(makers[name.upper()](reader))
        problems += reader.problems
        warnings += reader.warnings + reader.unread()
    return converters, problems, warnings


def _no_such_option(path: str, name: object) -> str:
    guess = difflib.get_close_matches(name.upper(), OPTION_NAMES, n=1) if isinstance(name, str) else []
    meant = f"; did you mean {guess[0]}?" if guess else f"; give one of {', '.join(OPTION_NAMES)}"
    return f"{path}.optionName: {'is missing' if name is None else f'{name!r} is not a processor'}{meant}"
