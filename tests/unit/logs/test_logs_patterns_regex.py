"""The regular expressions of filter patterns: AWS's syntax, and a bound on what they cost."""

from __future__ import annotations

import time

import pytest

from millstream.logs.patterns import PatternError
from millstream.logs.patterns.regex import compile_regex


@pytest.mark.parametrize(
    ("regex", "matching", "others"),
    [
        ("^[hc]at", ["hat trick", "cat"], ["a hat", "bat"]),
        ("[hc]at$", ["a hat"], ["hats", "hat\n"]),
        ("^cat$|dog", ["cat", "hot dogs"], ["cats"]),
        ("colou?r", ["color", "colour"], ["colouur"]),
        ("[abcx-z]1", ["b1", "y1"], ["d1"]),
        ("[^a-c]1", ["d1", "é1"], ["a1", "1"]),
        ("^a{3,5}$", ["aaa", "aaaaa"], ["aa", "aaaaaa"]),
        ("^a{2,}b{2}$", ["aaaabb"], ["abb", "aab", "aabbb"]),
        ("gra*y", ["gry", "graaay"], ["groy"]),
        ("gra+y", ["gray"], ["gry"]),
        ("a.c", ["abc", "aéc", "a.c"], ["ac", "a\nc"]),
        (r"10\.10\.0\.1", ["10.10.0.1"], ["10x10.0.1"]),
        (r"^\d+\s\w\D\S$", ["12 _a-"], ["12 -a-", "12 _1-"]),
        (r"\W\x41", ["-A"], ["aA"]),
        (r"[\d\]\-]x", ["]x", "-x", "1x"], ["ax"]),
        ("[a-]", ["-", "a"], ["b"]),
        (r"\$\{[a-z]+\}\(\)", ["${abc}()"], ["{abc}"]),
        ("_#=@/;,-:", ["_#=@/;,-:"], [""]),
    ],
)
def test_syntax(regex: str, matching: list[str], others: list[str]) -> None:
    found_in = compile_regex(regex)
    padding = "z" * 2_000  # long enough for the automaton
    for text in matching:
        assert found_in(text), text
        if "$" not in regex.replace(r"\$", ""):
            assert found_in(text + padding), text
    for text in others:
        assert not found_in(text), text


@pytest.mark.parametrize(
    ("regex", "why"),
    [
        ("", "nothing to look for"),
        ("a|", "nothing to look for"),
        ("(a)", "parentheses"),
        ("a b", "white space"),
        ("something!", "'!' is not supported"),
        ("é", "ASCII"),
        ("a^b", "\\^"),
        ("a$b", "only at the end"),
        ("*a", "may not stand here"),
        ("a**", "may not stand here"),
        ("a{3,2}", "smaller"),
        ("a{x}", "{m}, {m,} or {m,n}"),
        ("a{2000}b", "larger"),
        ("[z-a]", "a range goes"),
        ("[abc", "never closed"),
        ("[]", "hold nothing"),
        (r"\b", "not supported"),
        (r"\xff", "hexadecimal"),
        ("a\\", "must follow a backslash"),
    ],
)
def test_what_is_not_supported_is_refused(regex: str, why: str) -> None:
    with pytest.raises(PatternError, match="at its character") as caught:
        compile_regex(regex)
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("regex", "text"),
    [
        ("a*a*a*a*a*a*a*b", "a" * 50_000),
        (".*.*.*.*.*x$", "ab" * 20_000),
        ("[ab]*a[ab]{14}c", "abba" * 10_000),
        ("a{0,900}a{0,900}b", "a" * 2_000),
        (r"\d+x", "1" * 100_000),
        ("a|" * 200 + "b*c", "b" * 20_000),
    ],
)
def test_no_expression_takes_long(regex: str, text: str) -> None:
    found_in = compile_regex(regex)
    began_s = time.process_time()
    found = found_in(text)
    assert time.process_time() - began_s < 2.0
    assert found is ("a|" in regex and "a" in text)
