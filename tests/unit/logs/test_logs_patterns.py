"""Filter patterns: the user guide's examples, and what it leaves open."""

from __future__ import annotations

import pytest

from millstream.logs.patterns import PatternError, compile_pattern

UNAUTHORIZED = "[ERROR 401] UNAUTHORIZED REQUEST"
MISSING = "[ERROR 419] MISSING ARGUMENTS"
APACHE = '127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'
TRAIL = (
    '{"eventType": "UpdateTrail", "sourceIPAddress": "111.111.111.111", "arrayKey": ["value", "another value"],'
    ' "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}], "SomeObject": null, "ThisFlag": true,'
    ' "latency": 12.5, "code": "404", "count": 1000, "with-hyphen": {"under_score": "x"}, "odd": "a*b"}'
)


def matches(pattern: str, message: str) -> bool:
    return compile_pattern(pattern).match(message) is not None


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        ("", UNAUTHORIZED, True),
        ("   ", "", True),
        ('" "', "one_word", True),
        ("ERROR", "Exiting with ERRORCODE: -1", True),
        ("error", UNAUTHORIZED, False),
        ("ERROR ARGUMENTS", MISSING, True),
        ("ERROR ARGUMENTS", UNAUTHORIZED, False),
        ("?UNAUTHORIZED ?ARGUMENTS", MISSING, True),
        ("?GONE ?ARGUMENTS", UNAUTHORIZED, False),
        ("ERROR -ARGUMENTS", UNAUTHORIZED, True),
        ("ERROR -ARGUMENTS", MISSING, False),
        ("-ARGUMENTS", "anything", True),
        ("?GONE REQUEST", UNAUTHORIZED, True),  # as the guide says: then the optional term has no effect
        ('"MISSING ARGUMENTS"', MISSING, True),
        ('"ARGUMENTS MISSING"', MISSING, False),
        ('-"401]" ERROR', UNAUTHORIZED, False),
        (r'"\"level\":\"error\""', '{"level":"error"}', True),
        (r'"C:\temp"', r"in C:\temp", True),
        ("%AUTHORIZED%", UNAUTHORIZED, True),
        ("%^AUTHORIZED%", UNAUTHORIZED, False),
        ("%ERROR [0-9]%", UNAUTHORIZED, None),
        (r"%ERROR\s[0-9]{3}% -MISSING", UNAUTHORIZED, True),
    ],
)
def test_unstructured_text(pattern: str, message: str, expected: bool | None) -> None:
    if expected is None:
        with pytest.raises(PatternError):
            compile_pattern(pattern)
    else:
        assert matches(pattern, message) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('$.eventType = "UpdateTrail"', True),
        ("$.eventType = Update*", True),
        ("$.eventType = *Trail", True),
        ("$.eventType = *date*", True),
        ("$.eventType = Up*Trail", False),  # a star in the middle is a star
        ('$.odd = "a*b"', True),
        ('$.eventType = "*"', True),
        ("$.sourceIPAddress != 123.123.*", True),
        ("$.sourceIPAddress != 111.111.*", False),
        ('$.arrayKey[0] = "value"', True),
        ('$.arrayKey[1] = "value"', False),
        ("$.arrayKey[2] NOT EXISTS", True),
        ('$.arrayKey[*] = "another value"', True),
        ("$.objectList[1].id = 2", True),
        ("$.objectList[*].id > 1", True),
        ('$.*.under_score = "x"', True),
        ("$.objectList = 1", False),
        ("$.objectList != 1", False),  # it is no scalar
        ("$.missing != 1", False),
        ("$.SomeObject IS NULL", True),
        ("$.SomeObject != 1", False),
        ("$.eventType IS NULL", False),
        ("$.ThisFlag IS TRUE", True),
        ("$.ThisFlag IS FALSE", False),
        ("$.count IS TRUE", False),
        ("$.SomeOtherObject NOT EXISTS", True),
        ("$.SomeObject NOT EXISTS", False),
        ("$.latency = 12.5", True),
        ("$.latency >= 1.25e1", True),
        ("$.latency < 12.5", False),
        ("$.latency = 12*", True),
        ("$.count = 1e+3", True),
        ("$.count != 1e-3", True),
        ("$.count > +999", True),
        ("$.count <= -1", False),
        ("$.code = 404", True),
        ("$.code > 400", True),
        ("$.eventType > 400", False),
        ("$.ThisFlag > 0", False),
        ('$.with-hyphen.under_score = "x"', True),
        ("$.sourceIPAddress = %^111\\.[0-9]{3}\\.%", True),
        ("$.sourceIPAddress != %^112%", True),
        ('($.count = 1) && ($.eventType = "UpdateTrail")', False),
        ('$.eventType = "UpdateTrail" || $.count = 1 && $.latency = 1', True),
        ('($.eventType = "UpdateTrail" || $.count = 1) && $.latency = 1', False),
        ("(($.count=1000)&&($.latency<13||$.latency>14))", True),
    ],
)
def test_documents(condition: str, expected: bool) -> None:
    assert matches("{" + condition + "}", TRAIL) is expected
    assert matches("  { " + condition + " } ", TRAIL) is expected


@pytest.mark.parametrize(
    "message", ["", "text", "[1]", "{", '{"a":', '{"a": "\ud800"}', "{" * 100_000, '{"a":' * 100_000]
)
def test_what_is_no_document_does_not_match(message: str) -> None:
    pattern = compile_pattern("{ $.a NOT EXISTS || $.a = * }")
    assert pattern.match(message) is None
    assert pattern.values(message) == {}


def test_values_of_a_document() -> None:
    pattern = compile_pattern("{ $.eventType = * && $.objectList[1].id = * && ($.ThisFlag IS TRUE || $.none = 1) }")
    assert pattern.values(TRAIL) == {"$.eventType": "UpdateTrail", "$.objectList[1].id": "2", "$.ThisFlag": "true"}
    match = pattern.match(TRAIL)
    assert match is not None
    assert match.fields == {}


COLUMNS = ("127.0.0.1", "Prod", "frank", "10/Oct/2000:13:25:15 -0700", "GET /index.html HTTP/1.0", "404", "1534")


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("[ip, user, name, time, request =*.html*, status = 4*, bytes]", "ip user name time request status bytes"),
        ("[ip,user,name,time,request,status,bytes>1000]", "ip user name time request status bytes"),
        ("[ip, ..., status = 4* && status != 403, bytes]", "ip 2 3 4 5 status bytes"),
        ("[..., status = 404 || STATUS = 410, bytes]", "1 2 3 4 5 status bytes"),
        ("[..., (status = 404 || status = 410) && status != 4, bytes]", "1 2 3 4 5 status bytes"),
        ("[ip, ..., bytes]", "ip 2 3 4 5 6 bytes"),
        ("[ip, user, ...]", "ip user 3 4 5 6 7"),
        ("[...]", "1 2 3 4 5 6 7"),
        ("[,,,,,,]", "1 2 3 4 5 6 7"),
        ("[..., request=*.html*, status_code=4*,]", "1 2 3 4 request status_code 7"),
        (r'[ip = %^127\.%, user = "Prod", ...]', "ip user 3 4 5 6 7"),
    ],
)
def test_columns(pattern: str, names: str) -> None:
    compiled = compile_pattern(pattern)
    match = compiled.match(APACHE)
    assert match is not None
    assert match.fields == dict(zip(names.split(), COLUMNS, strict=True))
    assert compiled.values(APACHE) == {f"${name}": value for name, value in match.fields.items()}


@pytest.mark.parametrize(
    "pattern",
    [
        "[a, b, c, d, e, f, g, h]",
        "[a, b, ..., c, d, e, f, g, h]",
        "[..., status != 404, bytes]",
        "[ip, ..., bytes > 2000]",
        "[ip > 1, ...]",
    ],
)
def test_columns_that_do_not_match(pattern: str) -> None:
    assert compile_pattern(pattern).match(APACHE) is None
    assert compile_pattern(pattern).values(APACHE) == {}


def test_the_first_word_says_what_kind_of_line_it_is() -> None:
    assert matches("[w1=ERROR || w1=WARN, w2]", "WARN message")
    assert matches("[w1=ERROR || w1=WARN, w2]", "ERROR message of several words")
    assert not matches("[w1!=ERROR && w1!=WARN, w2]", "WARN message")
    assert matches("[w1!=ERROR && w1!=WARN, w2]", "INFO message")
    assert not matches("[w1=ERROR, w2]", "ERROR")


def test_the_last_column_takes_the_rest_of_a_lambda_function_s_line() -> None:
    line = '2015-09-10T10:00:00.123Z\t4f2-11e5\tpayload {"a": [1, 2], "b": "x y"}\n'
    match = compile_pattern('[timestamp=*Z, request_id="*-*", event]').match(line)
    assert match is not None
    assert match.fields["event"] == 'payload {"a": [1, 2], "b": "x y"}'
    assert match.fields["request_id"] == "4f2-11e5"


@pytest.mark.parametrize(
    ("message", "columns"),
    [
        ("a  b\tc\n", ["a", "b", "c"]),
        ('a "b c" d', ["a", "b c", "d"]),
        (r'a "b \" c" d', ["a", r"b \" c", "d"]),
        ('a "b c', ["a", '"b', "c"]),
        ("[a b] c]", ["a b", "c]"]),
        ("[a b]: c", ["[a", "b]:", "c"]),
        ('x"y z" "" []', ['x"y', 'z"', "", ""]),
        ('[a "b] c"', ['a "b', 'c"']),
    ],
)
def test_quotes_and_brackets_in_lines(message: str, columns: list[str]) -> None:
    match = compile_pattern("[...]").match(message)
    assert match is not None
    assert list(match.fields.values()) == columns


@pytest.mark.parametrize("mark", ['"', "[", '" ', "[ ", '"a', "[a]x ", '"\\" '])
def test_long_odd_lines_are_split_in_time(mark: str) -> None:
    assert matches("[...]", mark * 100_000)


@pytest.mark.parametrize(
    ("pattern", "column", "why"),
    [
        ("a:b", 2, "Invalid character(s) in term ':'"),
        ("ERROR (", 7, "Invalid character(s) in term '('"),
        ('ERROR "open', 7, "never closed"),
        ("ERROR ?", 8, "a term must follow"),
        ("%open", 1, "closed with %"),
        ("%a% %b% %c%", 9, "not more"),
        ("{}", 2, "a selector must follow"),
        ("{$}", 3, "name of a member"),
        ('{$."a-b" = 1}', 4, "Invalid character(s) in term '\"'"),
        ("{$.a[x] = 1}", 6, "index"),
        ("{$.a[1 = 1}", 8, "] must follow"),
        ("{$.a}", 5, "a condition must follow"),
        ("{$.a IS NOT NULL}", 9, "there is no IS NOT"),
        ("{$.a NOT NULL}", 10, "EXISTS must follow"),
        ("{$.a = }", 8, "a value must follow"),
        ("{$.a = x@y}", 9, "double quotes"),
        ("{$.a > b}", 9, "a number must follow"),
        ("{($.a = 1}", 10, "closing parenthesis"),
        ("{$.a = 1} x }", 11, "nothing may follow"),
        ("{$.a = 1 $.b = 2}", 10, "&&"),
        ("{$.a[*].b[*].*.*=1}", 17, "wildcards"),
        ("{" + "(" * 60 + "$.a=1" + ")" * 60 + "}", 53, "nested"),
        ("[a b]", 4, "comma"),
        ("[a, ..., b, ...]", 16, "one ellipsis"),
        ("[a = 1 && b = 2]", 12, "about b"),
        ("[=1]", 2, "name of a column"),
        ("[a] ]", 5, "nothing may follow"),
    ],
)
def test_errors_say_where_and_why(pattern: str, column: int, why: str) -> None:
    with pytest.raises(PatternError) as caught:
        compile_pattern(pattern)
    assert why in str(caught.value)
    assert f"at column {column}:" in str(caught.value)


@pytest.mark.parametrize(("pattern", "ends"), [("{ $.a = 1", "'}'"), ("[a, b", "']'")])
def test_unclosed_patterns_are_refused_in_aws_s_words(pattern: str, ends: str) -> None:
    with pytest.raises(PatternError, match=f"If a filter pattern starts with '.' it must end with {ends}"):
        compile_pattern(pattern)
