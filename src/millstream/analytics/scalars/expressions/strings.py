"""Texts: their functions, and patterns. Positions count characters, from 1."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from millstream.analytics.scalars.building import Builder, Maker, Value, check_regex, failing, plain
from millstream.analytics.scalars.expressions.matching import PatternMatcher
from millstream.analytics.scalars.faults import Check
from millstream.analytics.scalars.javaregex import java_regex, java_replacement
from millstream.analytics.scalars.nodes import Call, Literal, Scalar
from millstream.analytics.scalars.patterns import PATTERNS, like_parts, similar_parts
from millstream.analytics.scalars.types import BINARIES, LENGTH_MAX, TEXTS


def constant(argument: Scalar) -> str | None:
    """The text of a literal; None for what is computed, and for NULL."""
    return str(argument.value) if isinstance(argument, Literal) and argument.value is not None else None


def pattern_match(builder: Builder, call: Call) -> Value:
    """LIKE and SIMILAR TO; a pattern that is computed is looked at once for every different one."""
    text, pattern = builder.value(call.arguments[0]), builder.value(call.arguments[1])
    escape = constant(call.arguments[2]) if len(call.arguments) > 2 else None
    known = constant(call.arguments[1])
    if known is not None:
        made = _like(text.expr, known, escape) if call.function == "LIKE" else None
        if made is None:
            made = text.expr.str.contains(check_regex(PATTERNS[call.function](known, escape).text))
        return failing(made, text.fault)
    pair = pl.struct(builder.spread(text.expr).alias("text"), pattern.expr.alias("pattern"))
    matcher = PatternMatcher(lambda one: PATTERNS[call.function](one, escape))
    matched = builder.share(pair.map_batches(matcher, return_dtype=pl.Boolean()))
    bad = matched.is_null() & text.expr.is_not_null() & pattern.expr.is_not_null()
    check = Check(bad, lambda x: f"{call.function}: the pattern '{x}' is not valid", (pattern.expr,))
    return failing(matched, text.fault, pattern.fault, check)


def _like(text: pl.Expr, pattern: str, escape: str | None) -> pl.Expr | None:
    """The simple patterns without a regular expression."""
    match like_parts(pattern, escape):
        case []:
            return text == ""
        case [None]:
            return pl.when(text.is_not_null()).then(pl.lit(True))
        case [str(one)] if one:
            return text == one
        case [str(one), None] if one:
            return text.str.starts_with(one)
        case [None, str(one)] if one:
            return text.str.ends_with(one)
        case [None, str(one), None] if one:
            return text.str.contains(one, literal=True)
    return None


def substring(builder: Builder, call: Call) -> Value:
    """SUBSTRING by position, regular expression, or SIMILAR and ESCAPE."""
    text = builder.value(call.arguments[0])
    if call.arguments[1].type.kind in TEXTS:
        pattern = constant(call.arguments[1]) or ""
        if len(call.arguments) == 2:
            return failing(text.expr.str.extract(check_regex(f"({java_regex(pattern).text})"), 1), text.fault)
        regex = similar_parts(pattern, constant(call.arguments[2]) or "")
        return failing(text.expr.str.extract(check_regex(regex.text), 1), text.fault)
    start = builder.value(call.arguments[1])
    length = builder.value(call.arguments[2]) if len(call.arguments) > 2 else None
    slicer = text.expr.bin if call.arguments[0].type.kind in BINARIES else text.expr.str
    if length is None:
        first = start.expr.clip(1, LENGTH_MAX + 1) - 1
        return failing(_unless_null(slicer.slice(first), start), text.fault, start.fault)
    end = start.expr.clip(-_FAR, _FAR) + length.expr.clip(-_FAR, _FAR)
    first = start.expr.clip(1, LENGTH_MAX + 1)
    count = pl.max_horizontal(end - first, pl.lit(0, pl.Int64()))
    check = Check(length.expr < 0, lambda n: f"SUBSTRING … FOR {n}: a length is not negative", (length.expr,))
    faults = [text.fault, start.fault, length.fault, *([check] if not _natural(call.arguments[2]) else [])]
    return failing(_unless_null(slicer.slice(first - 1, count), start, length), *faults)


_FAR = 1 << 40


def _natural(argument: Scalar) -> bool:
    return isinstance(argument, Literal) and isinstance(argument.value, int) and argument.value >= 0


def _unless_null(result: pl.Expr, *values: Value) -> pl.Expr:
    """NULL where one of the values is: slices of Polars do not say so."""
    return pl.when(pl.all_horizontal([value.expr.is_not_null() for value in values])).then(result)


def overlay(builder: Builder, call: Call) -> Value:
    """OVERLAY(a PLACING b FROM c FOR d): before the text, b comes before it; behind its end, at its end."""
    values = builder.values(call)
    text, placing, start = (value.expr for value in values[:3])
    length = values[3].expr if len(values) > 3 else placing.str.len_chars().cast(pl.Int64())
    head = text.str.slice(0, start.clip(1, LENGTH_MAX + 1) - 1)
    tail = text.str.slice((start.clip(-_FAR, _FAR) + length.clip(0, _FAR) - 1).clip(0, LENGTH_MAX + 1))
    result = _unless_null(head + placing + tail, *values)
    faults = [value.fault for value in values]
    if len(values) > 3:
        faults.append(Check(length < 0, lambda n: f"OVERLAY … FOR {n}: a length is not negative", (length,)))
    return failing(result, *faults)


def position(builder: Builder, call: Call) -> Value:
    """POSITION(a IN b): 0 if it is not there."""
    wanted, text = builder.values(call)
    parts = builder.spread(text.expr).str.splitn(wanted.expr, 2)
    before = parts.struct.field("field_0").str.len_chars().cast(pl.Int32()) + 1
    known = constant(call.arguments[0])
    there = text.expr.str.contains(wanted.expr, literal=True)
    found: pl.Expr = pl.when(there).then(before).when(~there).then(pl.lit(0, pl.Int32()))
    if not known:  # an empty text is at the beginning
        found = pl.when((wanted.expr == "") & text.expr.is_not_null()).then(pl.lit(1, pl.Int32())).otherwise(found)
    return failing(found, wanted.fault, text.fault)


def trim(builder: Builder, call: Call) -> Value:
    """TRIM(side characters FROM a): each of the characters goes."""
    side, (characters, text) = constant(call.arguments[0]), builder.values(call)[1:]
    strips: dict[str | None, Callable[..., pl.Expr]] = {
        "LEADING": text.expr.str.strip_chars_start,
        "TRAILING": text.expr.str.strip_chars_end,
    }
    strip = strips.get(side, text.expr.str.strip_chars)
    known = constant(call.arguments[1])
    if known is not None:
        return failing(strip(known) if known else text.expr, text.fault)
    return failing(_unless_null(strip(characters.expr), characters), characters.fault, text.fault)


def initcap(builder: Builder, call: Call) -> Value:
    """INITCAP(a): the first letter of each word upper, the others lower."""
    (text,) = builder.values(call)
    return failing(text.expr.str.to_titlecase(), text.fault)


def regex_replace(builder: Builder, call: Call) -> Value:
    """REGEX_REPLACE(a, pattern, replacement, first position, occurrence): 0 is every occurrence."""
    text = builder.value(call.arguments[0])
    regex = java_regex(constant(call.arguments[1]) or "")
    replacement = java_replacement(constant(call.arguments[2]) or "", regex.groups)
    first, occurrence = (*(int(constant(one) or 0) for one in call.arguments[3:]), *(1, 0)[len(call.arguments) - 3 :])
    check_regex(regex.text)
    if first == 1 and occurrence == 0:
        return failing(text.expr.str.replace_all(regex.text, replacement), text.fault)
    head, tail = text.expr.str.slice(0, first - 1), text.expr.str.slice(first - 1)
    if occurrence == 0:
        return failing(head + tail.str.replace_all(regex.text, replacement), text.fault)
    # everything up to the end of a match, and the rest, in which the next is looked for
    split = check_regex(rf"\A((?s:.*?)(?:{_uncaptured(regex.text)}))((?s:.*))\z")
    for _ in range(occurrence - 1):
        parts = builder.share(tail.str.extract_groups(split))
        there = parts.struct.field("1").is_not_null()
        head = pl.when(there).then(head + parts.struct.field("1")).otherwise(head + tail)
        tail = pl.when(there).then(parts.struct.field("2")).otherwise(pl.lit(""))
    return failing(head + tail.str.replace(regex.text, replacement), text.fault)


def _uncaptured(regex: str) -> str:
    """The regular expression with groups that capture nothing."""
    made, depth, escaped = "", 0, False
    for at, one in enumerate(regex):
        depth += 0 if escaped else {"[": 1, "]": -1}.get(one, 0)
        opens = one == "(" and not escaped and depth == 0 and regex[at + 1 : at + 2] != "?"
        made += "(?:" if opens else one
        escaped = one == "\\" and not escaped
    return made


MAKERS: dict[str, Maker] = {
    "LIKE": pattern_match,
    "SIMILAR TO": pattern_match,
    "||": plain(lambda *texts: pl.concat_str(texts)),
    "CHAR_LENGTH": plain(lambda a: a.str.len_chars().cast(pl.Int32())),
    "INITCAP": initcap,
    "LOWER": plain(lambda a: a.str.to_lowercase()),
    "UPPER": plain(lambda a: a.str.to_uppercase()),
    "OVERLAY": overlay,
    "POSITION": position,
    "SUBSTRING": substring,
    "TRIM": trim,
    "REGEX_REPLACE": regex_replace,
}
