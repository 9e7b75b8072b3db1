"""Java's regular expressions as Python's."""

from __future__ import annotations

import pytest

from millstream.agent.javaregex import RegexError, compile_bytes, compile_text


@pytest.mark.parametrize(
    ("pattern", "matches", "others"),
    [
        ("(?<year>\\d{4})-\\k<year>", ["2001-2001"], ["2001-2002", "٢٠٠١-٢٠٠١"]),
        ("\\Qa.b\\E+", ["a.b", "a.bb"], ["axb"]),
        ("\\Q[(", ["[("], []),
        ("[a-c[x-z]&]+", ["abxz&"], ["d"]),
        ("[]a]+", ["]a"], ["b"]),
        ("[^]a]", ["b"], ["]", "a"]),
        ("[\\w.-]+", ["a.b-c"], ["a b"]),
        ("[a\\-c]+", ["a-c"], ["b"]),
        ("[[]+", None, []),
        ("\\p{Alpha}\\P{Digit}[\\p{Punct}\\p{Upper}]", ["ax!", "axB"], ["a1!", "axb"]),
        ("\\x41\\u0042\\x{43}\\0104\\t\\e\\cA", ["ABCD\t\x1b\x01"], []),
        ("a++b", ["aab"], ["aa"]),
        ("(?>a|ab)c", ["ac"], ["abc"]),
        ("a(?i)b|c", ["aB", "C", "ab"], ["AB"]),
        ("a(?i:b)c", ["aBc"], ["aBC"]),
        ("((?i)a)b", ["Ab"], ["AB"]),
        (".+", ["abc\t\x0b"], ["a\nb", "a\rb", "a\u2028b", "a\x85"]),
        ("(?s).+", ["a\nb"], []),
        ("(?s:.)a.", ["\nab"], ["\na\n"]),
        ("(?s-i:.)", ["\n"], []),
        ("\\R\\h\\v\\H", ["\r\n\xa0\x0bx", "\u2028\t\n1"], ["\n\n\n\n"]),
        ("\\Aa\\z", ["a"], ["a\n"]),
        ("(a)(b)\\2\\1", ["abba"], ["abab"]),
        ("(a)\\11", ["aa1"], []),
        ("x{2}y{1,}z{0,2}", ["xxy", "xxyyzz"], ["xxyzzz"]),
        ("(?<=a)b|(?<!a)c", ["c"], ["b"]),
        ("[é-ü]+", ["éê"], ["e"]),
        ("}]", ["}]"], []),
        ('\\/\\"\\-\\_', ['/"-_'], []),
        ("😀+", ["😀😀"], []),
    ],
)
def test_text(pattern: str, matches: list[str] | None, others: list[str]) -> None:
    if matches is None:
        with pytest.raises(RegexError):
            compile_text(pattern)
        return
    expression = compile_text(pattern)
    for text in matches:
        assert expression.fullmatch(text), text
    for text in others:
        assert not expression.fullmatch(text), text


@pytest.mark.parametrize(
    ("pattern", "matches", "others"),
    [
        ("é+x", ["ééx"], ["é", "x"]),
        ("[aé]{2}", ["aé", "éa"], ["e"]),
        ("[é]", ["é"], ["e"]),
        ("^\\[SEQUENCE=.*", ["[SEQUENCE=1é"], ["SEQUENCE="]),
        ("[^ ]+", ["é"], [" "]),
        ("\\u00e9", ["é"], []),
        ("[a[é]]", ["é", "a"], []),
    ],
)
def test_bytes(pattern: str, matches: list[str], others: list[str]) -> None:
    expression = compile_bytes(pattern)
    for text in matches:
        assert expression.fullmatch(text.encode()), text
    for text in others:
        assert not expression.fullmatch(text.encode()), text


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("[a-z&&[^b]]", "intersections"),
        ("[a[^b]]", "negated classes"),
        ("[\\P{Alpha}]", "negated classes"),
        ("\\p{IsGreek}", "only those of ASCII"),
        ("\\p", "only those of ASCII"),
        ("\\X", "\\X is not supported"),
        ("(?x) a b", "the flag x is not supported"),
        ("(?P<a>b)", "a kind of group that Java does not know"),
        ("(a", "a group is not closed"),
        ("a)", "a ) without its ("),
        ("[a", "a [ without its ]"),
        ("a{,3}", "a repetition that Java does not know"),
        ("a{", "a repetition that Java does not know"),
        ("*a", "not a regular expression"),
        ("a\\", "a \\ with nothing behind it"),
        ("[z-a]", "wrong way round"),
        ("[a-\\d]", "not supported inside of classes"),
        ("\\ud83d", "not a character"),
        ("\\x{110000}", "not a character"),
        ("\\3", "not a regular expression"),
        ("[" * 3000, "nested too deeply"),
    ],
)
def test_what_cannot_be_had_is_refused_with_the_reason(pattern: str, why: str) -> None:
    with pytest.raises(RegexError) as refusal:
        compile_text(pattern)
    assert why in str(refusal.value)


@pytest.mark.parametrize("pattern", ["[^é]", "[é-ü]", "[a-ü]"])
def test_classes_of_bytes_have_no_wide_characters(pattern: str) -> None:
    with pytest.raises(RegexError, match="beyond ASCII"):
        compile_bytes(pattern)
