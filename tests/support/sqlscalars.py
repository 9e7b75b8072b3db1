"""Random scalar expressions of a type, written in SQL."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from millstream.analytics.scalars.types import BINARIES, FLOATS, INTEGERS, TEXTS, Kind, SqlType

FAMILIES = ("int", "dec", "float", "text", "bool", "stamp", "date", "time", "binary")
UNITS = ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND")
_FORMATS = ("yyyy-MM-dd HH:mm:ss", "dd/MM/yyyy", "HH:mm:ss.SSS", "EEE, MMM d")

# What gives a family: {family} is another expression, {family!} one without functions; {n} a small number.
_TEMPLATES: dict[str, tuple[str, ...]] = {
    "int": (
        "{int} + {int}",
        "{int} - {int}",
        "{int} * {n}",
        "{int} / {n}",
        "{int} / {int}",
        "MOD({int}, {n})",
        "MOD({int}, {int})",
        "ABS({int})",
        "-{int}",
        "CASE WHEN {bool} THEN {int} ELSE {int} END",
        "CASE {int} WHEN {n} THEN {int} WHEN {n} THEN {int} END",
        "CHAR_LENGTH({text})",
        "POSITION({text} IN {text})",
        "EXTRACT({unit} FROM {stamp})",
        "EXTRACT(DAY FROM {date})",
        "EXTRACT(HOUR FROM {time})",
        "COALESCE({int}, {int})",
        "NULLIF({int}, {int})",
        "STEP({int} BY 5)",
        "CAST({text} AS INTEGER)",
        "CAST({dec} AS BIGINT)",
        "CAST({float} AS SMALLINT)",
        "CAST({int} AS TINYINT)",
        "TSDIFF({stamp}, {stamp})",
        "UNIX_TIMESTAMP({stamp})",
        "GREATEST({int}, {int}, {n})",
        "LEAST({int}, {int})",
        "FLOOR({int})",
    ),
    "dec": (
        "{dec} + {dec}",
        "{dec} * {n}",
        "{dec} / {int}",
        "{dec} - {int}",
        "{dec} * {dec}",
        "ABS({dec})",
        "FLOOR({dec})",
        "CEIL({dec})",
        "ROUND({dec}, 1)",
        "CAST({int} AS DECIMAL(18, 3))",
        "CAST({text} AS DECIMAL(8, 2))",
        "EXTRACT(SECOND FROM {stamp})",
        "CASE WHEN {bool} THEN {dec} ELSE {int} END",
        "CAST({float} AS DECIMAL(12, 4))",
        "MOD({dec}, {n})",
        "COALESCE({dec}, 1.5)",
    ),
    "float": (
        "{float} + {float}",
        "{float} - {int}",
        "{float} * {dec}",
        "{float} / {float}",
        "ABS({float})",
        "SQRT(ABS({float}))",
        "LN(ABS({int}) + 1)",
        "EXP(MOD({int}, 7))",
        "LOG10({float})",
        "POWER({float}, {n})",
        "FLOOR({float})",
        "CEIL({float})",
        "CAST({int} AS DOUBLE)",
        "CAST({dec} AS REAL)",
        "CAST({text} AS DOUBLE)",
        "CASE WHEN {bool} THEN {float} END",
        "COALESCE({float}, {int})",
        "ROUND({float}, 2)",
        "CAST({float} AS REAL)",
        "2.5E0 * {float}",
    ),
    "text": (
        "{text} || {text}",
        "UPPER({text})",
        "LOWER({text})",
        "INITCAP({text})",
        "SUBSTRING({text} FROM {n})",
        "SUBSTRING({text} FROM {n} FOR {n})",
        "SUBSTRING({text} FROM {int} FOR {n})",
        "TRIM(BOTH ' ' FROM {text})",
        "TRIM(LEADING 'a' FROM {text})",
        "OVERLAY({text} PLACING {text} FROM {n} FOR {n})",
        "REGEX_REPLACE({text}, '[ab]+', 'x', 1, 0)",
        "CAST({int} AS VARCHAR(12))",
        "CAST({float} AS VARCHAR(24))",
        "CAST({dec} AS VARCHAR(24))",
        "CAST({stamp} AS VARCHAR(24))",
        "CAST({bool} AS VARCHAR(8))",
        "CAST({text} AS CHAR(4))",
        "CASE WHEN {bool} THEN {text} ELSE {text} END",
        "COALESCE({text}, 'none')",
        "NULLIF({text}, 'a')",
        "TIMESTAMP_TO_CHAR('{format}', {stamp})",
        "DATE_TO_CHAR('yyyy/MM/dd', {date})",
        "CAST({date} AS VARCHAR(10))",
    ),
    "bool": (
        "{int} = {int}",
        "{int} < {n}",
        "{dec} >= {int}",
        "{float} > {float}",
        "{float} <> {int}",
        "{text} = {text}",
        "{text} < {text}",
        "{stamp} > {stamp}",
        "{date} = {date}",
        "{bool} AND {bool}",
        "{bool} OR {bool}",
        "NOT {bool}",
        "{int} BETWEEN {n} AND {int}",
        "{int} IN (1, 2, {int})",
        "{text} IN ('a', 'ab')",
        "{text} NOT IN ('a', 'b', {text})",
        "{text} LIKE 'a%'",
        "{text} LIKE '%b_'",
        "{text} NOT LIKE {text}",
        "{text} SIMILAR TO '(a|b)+%'",
        "{int} IS NULL",
        "{text} IS NOT NULL",
        "{bool} IS TRUE",
        "{bool} IS NOT FALSE",
        "{bool} IS UNKNOWN",
        "{int} IS DISTINCT FROM {int}",
        "({stamp}, INTERVAL '3' SECOND) OVERLAPS ({stamp}, INTERVAL '1' MINUTE)",
        "{time} < {time}",
        "{binary} = {binary}",
        "CAST({text} AS BOOLEAN)",
        "{stamp} BETWEEN {stamp} AND {stamp}",
    ),
    "stamp": (
        "{stamp} + INTERVAL '{n}' SECOND",
        "{stamp} - INTERVAL '{n}' MINUTE",
        "{stamp} + INTERVAL '{n}' MONTH",
        "FLOOR({stamp} TO {unit})",
        "CEIL({stamp} TO MINUTE)",
        "STEP({stamp} BY INTERVAL '7' SECOND)",
        "CASE WHEN {bool} THEN {stamp} END",
        "COALESCE({stamp}, {stamp})",
        "CAST({date} AS TIMESTAMP)",
        "TO_TIMESTAMP({int})",
        "CAST({text} AS TIMESTAMP)",
        "CHAR_TO_TIMESTAMP('yyyy-MM-dd', {text})",
        "GREATEST({stamp}, {stamp})",
    ),
    "date": (
        "CAST({stamp} AS DATE)",
        "{date} + INTERVAL '{n}' DAY",
        "FLOOR({date} TO MONTH)",
        "CASE WHEN {bool} THEN {date} ELSE {date} END",
        "{date} - INTERVAL '1' YEAR",
    ),
    "time": (
        "CAST({stamp} AS TIME)",
        "{time} + INTERVAL '{n}' MINUTE",
        "FLOOR({time} TO HOUR)",
        "COALESCE({time}, {time})",
    ),
    "binary": ("COALESCE({binary}, {binary})", "CASE WHEN {bool} THEN {binary} END"),
}
_LITERALS: dict[str, tuple[str, ...]] = {
    "int": ("0", "1", "-3", "7", "NULL"),
    "dec": ("0.5", "-12.25", "3.0"),
    "float": ("1E0", "-2.5E-1", "3E2"),
    "text": ("''", "'a'", "'ab b'", "'2016-09-23'", "u&'\\00e9'"),
    "bool": ("TRUE", "FALSE", "CAST(NULL AS BOOLEAN)"),
    "stamp": ("TIMESTAMP '2016-09-23 00:00:07'", "TIMESTAMP '1969-12-31 23:59:59.999'"),
    "date": ("DATE '2016-09-23'", "DATE '2016-02-29'"),
    "time": ("TIME '12:00:00'", "TIME '00:00:07'"),
    "binary": ("CAST(NULL AS VARBINARY(4))",),
}


def family_of(of: SqlType) -> str | None:
    """The family of a type; None: of those that columns cannot have."""
    for family, kinds in (("int", INTEGERS), ("float", FLOATS), ("text", TEXTS), ("binary", BINARIES)):
        if of.kind in kinds:
            return family
    rest = {Kind.DECIMAL: "dec", Kind.BOOLEAN: "bool", Kind.TIMESTAMP: "stamp", Kind.DATE: "date", Kind.TIME: "time"}
    return rest.get(of.kind)


class Expressions:
    """Writes expressions over columns: `fields` are written references and their types."""

    def __init__(self, chance: random.Random, fields: Mapping[str, SqlType]) -> None:
        self._chance = chance
        self.by_family: dict[str, list[str]] = {}
        for text, of in fields.items():
            if (family := family_of(of)) is not None:
                self.by_family.setdefault(family, []).append(text)

    def column(self, families: Sequence[str] = FAMILIES) -> str | None:
        """A column of one of the families, if there is one."""
        known = [text for family in families for text in self.by_family.get(family, ())]
        return self._chance.choice(known) if known else None

    def any(self, depth: int = 1) -> str:
        """An expression of any family."""
        return self.of(self._chance.choice(FAMILIES), depth)

    def of(self, family: str, depth: int = 1) -> str:
        """An expression of the family, functions nested as deep as that."""
        chance = self._chance
        if depth <= 0 or chance.random() < 0.3:
            column = self.column((family,))
            return column if column is not None and chance.random() < 0.85 else chance.choice(_LITERALS[family])
        text, out = chance.choice(_TEMPLATES[family]), ""
        while "{" in text:
            before, _, rest = text.partition("{")
            word, _, text = rest.partition("}")
            out += before + self._part(word, depth - 1)
        return f"({out}{text})" if " " in out + text else out + text

    def _part(self, word: str, depth: int) -> str:
        if word == "n":
            return str(self._chance.randrange(1, 5))
        if word == "unit":
            return self._chance.choice(UNITS)
        if word == "format":
            return self._chance.choice(_FORMATS)
        return self.of(word, depth)
