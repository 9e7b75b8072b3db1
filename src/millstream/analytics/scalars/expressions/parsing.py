"""Log parsing: texts to records of texts, which FIELD casts to the types of the columns.

A text that does not fit is a NULL record, no error. Fields are cut at 1,024 characters.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from millstream.analytics.scalars.building import Builder, Maker, Value, check_regex, failing
from millstream.analytics.scalars.dateformat import DateFormat
from millstream.analytics.scalars.expressions.casts import converted
from millstream.analytics.scalars.expressions.formats import FormatReader, Remembered
from millstream.analytics.scalars.fastregex import fast_regex
from millstream.analytics.scalars.javaregex import java_regex
from millstream.analytics.scalars.logformats import FIELD_LENGTH, ColumnSpec, columns_of, w3c_format
from millstream.analytics.scalars.nodes import Call, Literal
from millstream.analytics.scalars.types import TEXTS, VARCHAR, SqlType

_ISO = "%Y-%m-%d %H:%M:%S%.3f"
_SYSLOG = r"(?:<[0-9]{1,3}>)?([A-Z][a-z]{2} +[0-9]{1,2} [0-9]{2}:[0-9]{2}:[0-9]{2}) +((?s:.*))"
_SYSLOG_TIME = DateFormat("MMM dd HH:mm:ss")


def _constants(call: Call) -> list[object]:
    return [one.value for one in call.arguments[1:] if isinstance(one, Literal)]


def _record(builder: Builder, call: Call, text: Value, fields: Sequence[pl.Expr], there: pl.Expr) -> Value:
    """A record of these fields, NULL where it is not there; a field that is no text is NULL where it is blank."""
    made = []
    for name, expression, of in zip(call.type.fields, fields, _types(call.type), strict=True):
        cut = expression.str.slice(0, FIELD_LENGTH)
        known = cut if of.kind in TEXTS else pl.when(cut.str.strip_chars() != "").then(cut)
        made.append(known.alias(name))
    return failing(builder.share(pl.when(there).then(pl.struct(made))), text.fault)


def _types(record: SqlType) -> tuple[SqlType, ...]:
    return record.types or (VARCHAR,) * len(record.fields)


def _grouped(builder: Builder, call: Call, regex: str) -> tuple[Value, list[pl.Expr], pl.Expr]:
    """The groups of a regular expression that must match the whole text."""
    text = builder.value(call.arguments[0])
    groups = builder.share(text.expr.str.extract_groups(check_regex(rf"\A({regex})\z")))
    fields = [groups.struct.field(str(number + 2)) for number in range(len(call.type.fields))]
    return text, fields, groups.struct.field("1").is_not_null()


def regex_log(builder: Builder, call: Call) -> Value:
    """REGEX_LOG_PARSE(text, pattern)."""
    text, fields, there = _grouped(builder, call, java_regex(str(_constants(call)[0])).text)
    return _record(builder, call, text, fields, there)


def w3c_log(builder: Builder, call: Call) -> Value:
    """W3C_LOG_PARSE(text, format): "-" in a column of numbers is NULL."""
    regex, types = w3c_format(str(_constants(call)[0]))
    text, fields, there = _grouped(builder, call, regex)
    known = [one if of.kind in TEXTS else pl.when(one != "-").then(one) for one, of in zip(fields, types, strict=True)]
    return _record(builder, call, text, known, there)


def sys_log(builder: Builder, call: Call) -> Value:
    """SYS_LOG_PARSE(text): the time, of 1970 as the text has no year, and the rest."""
    text, (stamp, rest), there = _grouped(builder, call, _SYSLOG)
    return _record(builder, call, text, [_iso(builder, stamp, _SYSLOG_TIME), rest], there)


def _iso(builder: Builder, text: pl.Expr, form: DateFormat) -> pl.Expr:
    """A time of a format as CAST reads it; what does not fit stays as it is, for CAST to fail."""
    read = builder.share(builder.spread(text).map_batches(FormatReader(form), return_dtype=pl.Datetime("ms")))
    return pl.coalesce(read.dt.strftime(_ISO), text)


def fast_regex_log(builder: Builder, call: Call) -> Value:
    """FAST_REGEX_LOG_PARSER(text, pattern): one search after the other, each in what the one before left."""
    text = builder.value(call.arguments[0])
    pattern = fast_regex(str(_constants(call)[0]))
    parts: list[list[pl.Expr]] = [[] for _ in range(pattern.groups)]
    rest = text.expr
    there = text.expr.is_not_null()
    for number, step in enumerate(pattern.steps):
        last = number == len(pattern.steps) - 1
        # one more group around: it tells a match that has no groups from none
        groups = builder.share(rest.str.extract_groups(check_regex(_wrapped(step.regex))))
        there = groups.struct.field("1").is_not_null()
        for index, column in enumerate(step.columns):
            parts[column].append(groups.struct.field(str(index + 2)))
        if not last:
            rest = groups.struct.field(str(len(step.columns) + 2))
    fields = [pl.concat_str(some) if some else pl.lit("") for some in parts]
    return _record(builder, call, text, fields, there)


def _wrapped(regex: str) -> str:
    head, body, tail = regex[:6], regex[6:-2], regex[-2:]  # (?s)\A … \z
    return f"{head}({body}){tail}"


def columns_log(builder: Builder, call: Call) -> Value:
    """VARIABLE_COLUMN_LOG_PARSE and FIXED_COLUMN_LOG_PARSE."""
    text = builder.value(call.arguments[0])
    values = _constants(call)
    specs = columns_of(call.function, values)
    if call.function == "FIXED_COLUMN_LOG_PARSE":
        fields = [_cut(text.expr, spec) for spec in specs]
    else:
        listed = _split(builder, text.expr, [str(value) for value in values[1:]])
        fields = [listed.list.get(index, null_on_oob=True) for index in range(len(specs))]
    read = [
        _iso(builder, one, DateFormat(spec.format)) if spec.format else one
        for one, spec in zip(fields, specs, strict=True)
    ]
    # what a format makes of a time is a time of day for TIME, a day for DATE
    shown = [_as_kind(one, spec) for one, spec in zip(read, specs, strict=True)]
    return _record(builder, call, text, shown, text.expr.is_not_null())


def _as_kind(text: pl.Expr, spec: ColumnSpec) -> pl.Expr:
    iso = text.str.contains(r"^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:.]{12}$")
    parts = {"DATE": (0, 10), "TIME": (11, 12)}
    if spec.format is None or spec.type.kind not in parts:
        return text
    return pl.when(iso).then(text.str.slice(*parts[spec.type.kind])).otherwise(text)


def _cut(text: pl.Expr, spec: ColumnSpec) -> pl.Expr:
    """A field at its place; NULL behind the end of the text."""
    start = spec.start or 0
    return pl.when(text.str.len_chars() > start).then(text.str.slice(start, spec.length))


def _split(builder: Builder, text: pl.Expr, told: list[str]) -> pl.Expr:
    delimiter, escape, quotes = (*told, "", "")[:3]
    if not escape and not quotes:
        return builder.share(text.str.split(delimiter))
    splitter = Splitter(delimiter, escape, quotes)
    return builder.share(builder.spread(text).map_batches(splitter, return_dtype=pl.List(pl.String())))


class Splitter:
    """Splits texts at a delimiter that is neither escaped nor within quotes; the quotes go."""

    def __init__(self, delimiter: str, escape: str, quotes: str) -> None:
        self._delimiter = delimiter
        self._escape = escape
        self._opens, self._closes = quotes[:1], quotes[-1:]
        self._known: Remembered[str, list[str]] = Remembered()

    def __call__(self, texts: pl.Series) -> pl.Series:
        return pl.Series(texts.name, [self._one(text) for text in texts], pl.List(pl.String()))

    def _one(self, text: str | None) -> list[str] | None:
        if text is None:
            return None
        if text not in self._known:
            made = self._split(text)
            self._known[text] = made
            return made
        return self._known[text]

    def _split(self, text: str) -> list[str]:
        fields, current, at, quoted = [], "", 0, False
        while at < len(text):
            if self._escape and text.startswith(self._escape, at) and at + len(self._escape) < len(text):
                at += len(self._escape)
                current += text[at]
                at += 1
            elif quoted and text[at] in (self._closes, self._opens):
                quoted = False
                at += 1
            elif not quoted and self._opens and text[at] == self._opens:
                quoted = True
                at += 1
            elif not quoted and text.startswith(self._delimiter, at):
                fields.append(current)
                current = ""
                at += len(self._delimiter)
            else:
                current += text[at]
                at += 1
        return [*fields, current]


def field(builder: Builder, call: Call) -> Value:
    """A field of a record, as its type."""
    record = builder.value(call.arguments[0])
    name = call.arguments[1]
    assert isinstance(name, Literal)
    text = Value(record.expr.struct.field(str(name.value)), record.fault)
    return converted(builder, text, VARCHAR, call.type)


MAKERS: dict[str, Maker] = {
    "REGEX_LOG_PARSE": regex_log,
    "W3C_LOG_PARSE": w3c_log,
    "SYS_LOG_PARSE": sys_log,
    "FAST_REGEX_LOG_PARSER": fast_regex_log,
    "VARIABLE_COLUMN_LOG_PARSE": columns_log,
    "FIXED_COLUMN_LOG_PARSE": columns_log,
    "FIELD": field,
}
