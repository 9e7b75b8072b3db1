"""LOGTOJSON: a line of a log whose format is known, or described by a pattern, becomes a JSON object of texts."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import NamedTuple

from millstream.agent.javaregex import RegexError, compile_text
from millstream.agent.processors import apache, syslog
from millstream.agent.processors.converter import MATCHED_BYTES_MAX, Converter, Rejected
from millstream.agent.processors.fields import FieldsMaker, ToFields, fields_maker, in_json_format
from millstream.agent.processors.options import Options
from millstream.agent.timelimit import TooSlow, limited

TOO_LONG = f"LOGTOJSON: longer than {MATCHED_BYTES_MAX} bytes, too long for a matchPattern"
TOO_SLOW = "LOGTOJSON: matchPattern takes too long on it"
NO_MATCH = "LOGTOJSON: does not match matchPattern"

Reader = Callable[[str], "apache.Fields | None"]
"""The fields of a line, or None if it is not of the format."""


class Format(NamedTuple):
    """A log's format: its fields' names, and how a line is read."""

    names: tuple[str, ...]
    read: Reader
    is_apache: bool = False
    """Whether a field that is only a hyphen is null."""
    quickly: Callable[[FieldsMaker], apache.QuickReader] = lambda _: _nothing
    """Of a maker of objects, what makes one of most lines, as `read` would, in less time, and says None to others."""


def _reader(pattern: re.Pattern[str], fields: Callable[[re.Match[str]], apache.Fields]) -> Reader:
    def read(text: str) -> apache.Fields | None:
        match = pattern.fullmatch(text)
        return None if match is None else fields(match)

    return read


def _groups(match: re.Match[str]) -> apache.Fields:
    return match.groups()


def _apache_groups(match: re.Match[str]) -> apache.Fields:
    return apache.dashes_to_none(match.groups())


def _access_log(
    names: tuple[str, ...], pattern: re.Pattern[str], quickly: Callable[[FieldsMaker], apache.QuickReader]
) -> Format:
    return Format(names, _reader(pattern, _apache_groups), True, quickly)


FORMATS = {
    "COMMONAPACHELOG": _access_log(apache.COMMON_FIELDS, apache.COMMON, apache.quick_common),
    "COMBINEDAPACHELOG": _access_log(apache.COMBINED_FIELDS, apache.COMBINED, apache.quick_combined),
    "APACHEERRORLOG": Format(apache.ERROR_FIELDS, _reader(apache.ERROR, apache.error_fields), is_apache=True),
    "SYSLOG": Format(syslog.FIELDS, _reader(syslog.RFC3164, _groups)),
    "RFC3339SYSLOG": Format(syslog.FIELDS, _reader(syslog.RFC3339, _groups)),
}


def logtojson(options: Options) -> Converter:
    """Makes an object of what a line says; every value is a text, or null.

    logFormat chooses the format, customFieldNames other names for its fields, in order; with fewer names than fields
    the last fields are left out. matchPattern, a regular expression of Java's, takes the format's place: it has to
    match the whole record, as in the Java agent, and its groups are the fields. Records on which it takes too long (see
    `millstream.agent.timelimit`) are rejected, and those of more than 1 MiB are not tried. In Apache's formats, and for
    a matchPattern in their place, a field that is only a hyphen is null.
    """
    format_name = options.choice("logFormat", FORMATS, None) or "COMMONAPACHELOG"
    format_ = FORMATS[format_name]
    pattern = options.text("matchPattern")
    names = options.names("customFieldNames")
    if pattern is None:
        reason, bytes_max = f"LOGTOJSON: not a line of {format_name}", sys.maxsize
    else:
        format_ = _custom_format(options, pattern, names, is_apache=format_.is_apache)
        reason, bytes_max = NO_MATCH, MATCHED_BYTES_MAX
    make = fields_maker(_chosen_names(options, names, format_), values=len(format_.names))
    quickly, thoroughly = format_.quickly(make), format_.read

    def read(record: bytes) -> object:
        if len(record) > bytes_max:
            raise Rejected(TOO_LONG)
        text = record.rstrip(b"\r\n").decode("utf-8", "replace")
        made = quickly(text)
        if made is not None:
            return made
        try:
            fields = thoroughly(text)
        except TooSlow:
            raise Rejected(TOO_SLOW) from None
        if fields is None:
            raise Rejected(reason)
        return make(*fields)

    return in_json_format(ToFields(read), options)


def _nothing(_text: str) -> None:
    """For formats that are read in one way only."""


def _custom_format(options: Options, pattern: str, names: list[str], *, is_apache: bool) -> Format:
    """The format that a matchPattern describes; its own names are only there to be replaced."""
    if not names and not options.problems:
        options.refuse("customFieldNames", "is missing; a matchPattern needs a name for each of its groups")
    try:
        compiled = compile_text(pattern)
    except RegexError as error:
        options.refuse("matchPattern", str(error))
        compiled = re.compile("(.*)" * len(names))
    read = limited(_reader(compiled, _apache_groups if is_apache else _groups))
    names_of_groups = tuple(f"group{number + 1}" for number in range(compiled.groups))
    return Format(names_of_groups, read, is_apache)


def _chosen_names(options: Options, names: list[str], format_: Format) -> list[str]:
    if len(names) > len(format_.names):
        options.refuse("customFieldNames", f"has {len(names)} names for {len(format_.names)} fields")
        return list(format_.names)
    if names and len(names) < len(format_.names):
        options.warn(
            "customFieldNames", f"has {len(names)} names for {len(format_.names)} fields: the last are left out"
        )
    return names or list(format_.names)
