"""Filter patterns against what they must not do, and their regular expressions against Python's."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from millstream.logs.patterns import Pattern, PatternError, compile_pattern
from millstream.logs.patterns.lines import SHORT_MAX, columns_of, row_matcher
from millstream.logs.patterns.regex import POSITIONS_MAX, compile_regex

PIECES = st.sampled_from(
    [*'{}[]()$.*?%"\\ ,=<>!&|-+^', "$.a", "$.a[0]", "NOT EXISTS", "IS NULL", "...", "1e3", "abc", "&&", "||", "é", "\n"]
)
PATTERNS = st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=20).map("".join))
MESSAGES = st.one_of(
    st.text(max_size=200),
    st.lists(st.sampled_from(['"', "[", "]", " ", "\\", "abc", "12", "\t"]), max_size=30).map("".join),
    st.just('{"a": [1, {"b": null}], "abc": "1e3"}'),
)

ATOMS = st.sampled_from(["a", "b", "c", ".", "[ab]", "[^a]", r"\d", r"\w", r"\S", r"\.", "1"])
REPEATS = st.sampled_from(["", "", "?", "*", "+", "{2}", "{1,}", "{0,2}"])
ITEMS = st.tuples(ATOMS, REPEATS).map("".join)
ALTERNATIVES = st.tuples(
    st.sampled_from(["", "^"]), st.lists(ITEMS, min_size=1, max_size=6), st.sampled_from(["", "$"])
)
REGEXES = st.lists(ALTERNATIVES.map(lambda parts: parts[0] + "".join(parts[1]) + parts[2]), min_size=1, max_size=3)
TEXTS = st.text(alphabet="abc1. \né", max_size=30)


def _compiled(text: str) -> Pattern | None:
    try:
        return compile_pattern(text)
    except PatternError:
        return None


@given(PATTERNS, MESSAGES)
def test_whatever_is_written_is_understood_or_refused(text: str, message: str) -> None:
    pattern = _compiled(text)
    if pattern is not None:
        match = pattern.match(message)
        values = pattern.values(message)
        if match is not None:
            assert all(values[f"${name}"] == value for name, value in match.fields.items())


@given(REGEXES, TEXTS)
def test_regular_expressions_find_what_python_s_do(alternatives: list[str], text: str) -> None:
    regex = "|".join(alternatives)
    oracle = re.compile(regex.replace("$", r"\Z"), re.ASCII).search
    found_in = compile_regex(regex)
    assert found_in(text) is (oracle(text) is not None)
    tail = "\n" * POSITIONS_MAX  # too long for re
    assert found_in(text + tail) is (oracle(text + tail) is not None)


@given(MESSAGES, st.integers(1, 5))
def test_columns_keep_every_word(message: str, count: int) -> None:
    columns = columns_of(message)
    words = re.sub(r'[\s"\[\]]', "", message)
    assert re.sub(r'[\s"\[\]]', "", "".join(columns)) == words
    first = columns_of(message, count)
    assert first[: count - 1] == columns[: count - 1]
    assert len(first) == min(count, len(columns))


@given(MESSAGES, st.integers(0, 5))
def test_columns_of_short_and_long_messages_are_the_same(message: str, count: int) -> None:
    assert columns_of(message, count) == columns_of(message + " " * SHORT_MAX, count)


@given(MESSAGES, st.integers(1, 5))
def test_a_row_has_the_same_columns(message: str, count: int) -> None:
    row = row_matcher(count)(message)
    columns = columns_of(message, count)
    assert (list(row.groups()) if row is not None else None) == (columns if len(columns) == count else None)
