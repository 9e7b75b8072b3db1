"""What each processor makes of a line, as docs/agent-processors.md tells it, and of lines that are not as expected."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from millstream.agent.processors import Chain, OptionsError, check_options, make_chain
from millstream.agent.processors.converter import MATCHED_BYTES_MAX
from millstream.base.clock import ManualClock
from millstream.client.errors import ConfigurationError

HOST = {"privateIp": "10.0.0.5", "instanceId": "i-0abc", "metadataTimestamp": "2023-11-14T22:13:20.000Z"}
DOCS = Path(__file__).parents[3] / "docs" / "agent-processors.md"


def chain_of(*options: dict[str, Any], rejected: list[tuple[bytes, str]] | None = None) -> Chain:
    refused = [] if rejected is None else rejected
    return make_chain(
        options,
        lambda record, reason: refused.append((record, reason)),
        clock=ManualClock(),
        host_metadata=lambda: dict(HOST),
    )


def one(record: bytes, *options: dict[str, Any]) -> bytes | None:
    return chain_of(*options).process([record])[0]


def members(record: bytes, *options: dict[str, Any]) -> Any:
    out = one(record, *options)
    assert out is not None
    assert out.endswith(b"}\n")
    return json.loads(out)


def log_to_json(log_format: str, **more: Any) -> dict[str, Any]:
    return {"optionName": "LOGTOJSON", "logFormat": log_format, **more}


def csv_to_json(*names: str, **more: Any) -> dict[str, Any]:
    return {"optionName": "CSVTOJSON", "customFieldNames": list(names), **more}


# The documentation


def examples() -> list[tuple[str, str, str]]:
    """Options, input and output of each example in the documentation."""
    blocks = re.findall(
        r"```json\n(.*?)\n```\n\n```text\n(.*?)\n```\n\n```(?:json|text)\n(.*?)\n```", DOCS.read_text(), re.DOTALL
    )
    return [(options, text, output) for options, text, output in blocks]


def test_there_is_an_example_of_each_processor() -> None:
    named = "".join(options for options, _, _ in examples())
    for name in (
        "SINGLELINE",
        "CSVTOJSON",
        "LOGTOJSON",
        "ADDMETADATA",
        "ADDEC2METADATA",
        "RFC3339SYSLOG",
        "matchPattern",
    ):
        assert name in named


@pytest.mark.parametrize(("options", "text", "output"), examples())
def test_an_example_of_the_documentation_is_true(options: str, text: str, output: str) -> None:
    chosen = json.loads(options)
    record = one(text.encode() + b"\n", *(chosen if isinstance(chosen, list) else [chosen]))
    assert record == output.encode() + b"\n"


# Chains


def test_an_empty_chain_gives_the_records_as_they_are() -> None:
    assert chain_of().process([b"a\r\n", b"\xff", b""]) == [b"a\r\n", b"\xff", b""]


def test_a_record_is_rejected_as_it_was_read_whichever_processor_rejects_it() -> None:
    rejected: list[tuple[bytes, str]] = []
    chain = chain_of({"optionName": "SINGLELINE"}, log_to_json("SYSLOG"), rejected=rejected)
    out = chain.process([b"  no\n  log\n", b"Jan  1 00:00:00 h p: m\n", b"\n"])
    assert [record is None for record in out] == [True, False, True]
    reason = "LOGTOJSON: not a line of SYSLOG"
    assert rejected == [(b"  no\n  log\n", reason), (b"\n", reason)]
    assert chain.rejected == {reason: 2}


def test_processors_work_in_their_order() -> None:
    csv = csv_to_json("a", "b")
    metadata = {"optionName": "ADDMETADATA", "metadata": {"k": 1}}
    assert members(b" x\n , y\n", {"optionName": "SINGLELINE"}, csv, metadata) == {
        "metadata": {"k": 1},
        "data": '{"a":"x","b":"y"}',
    }


@pytest.mark.parametrize(
    "options",
    [
        (log_to_json("COMBINEDAPACHELOG"),),
        (log_to_json("APACHEERRORLOG"),),
        (log_to_json("RFC3339SYSLOG"),),
        (log_to_json("SYSLOG", matchPattern="(.*)", customFieldNames=["a"], jsonFormat="PRETTYPRINT"),),
        (csv_to_json("a", delimiter="x+"), {"optionName": "ADDEC2METADATA"}),
        ({"optionName": "ADDEC2METADATA"}, {"optionName": "ADDMETADATA", "metadata": {}}),
        ({"optionName": "ADDEC2METADATA", "jsonFormat": "PRETTYPRINT"},),
        ({"optionName": "SINGLELINE", "parseOptions": ["NO_TRIM"]},),
    ],
)
def test_no_record_raises(options: tuple[dict[str, Any], ...]) -> None:
    ugly = [b"", b"\n", b"\r\n", b"\x00", b"\xff\xfe\xc3\n", b'"', b'"""\n', b"{", b"\\", b"[" * 100_000]
    ugly += [b'{"a":' * depth + b"1" + b"}" * depth for depth in (100, 900, 1000, 1100, 50_000)]
    for record in chain_of(*options).process([*ugly, "\u2028\u0085é😀".encode(), b'{"a":1}', b"Jan"]):
        assert record is None or record.endswith(b"\n")


# LOGTOJSON

COMMON = b'64.242.88.10 - - [07/Mar/2004:16:10:02 -0800] "GET /mailman/listinfo/hsdivision HTTP/1.1" 200 6291\n'
COMBINED = COMMON[:-1] + b' "http://a/" "Mozilla/5.0 (X11; Linux)"\n'


def test_custom_field_names_replace_those_of_a_format() -> None:
    names = [f"f{number}" for number in range(1, 8)]
    out = members(COMMON, log_to_json("COMMONAPACHELOG", customFieldNames=names))
    assert list(out) == names
    assert (out["f1"], out["f2"], out["f7"]) == ("64.242.88.10", None, "6291")


def test_fields_beyond_the_last_name_are_left_out_with_a_warning() -> None:
    option = log_to_json("COMMONAPACHELOG", customFieldNames=["host", "ident"])
    assert members(COMMON, option) == {"host": "64.242.88.10", "ident": None}
    problems, warnings = check_options((option,))
    assert not problems
    assert warnings == ["dataProcessingOptions[0].customFieldNames: has 2 names for 7 fields: the last are left out"]


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        (
            COMBINED.replace(b"/mailman", rb"/say/\"hi\" \\"),
            "request",
            r"GET /say/\"hi\" \\/listinfo/hsdivision HTTP/1.1",
        ),
        (COMBINED.replace(b"Mozilla", "Mözilla".encode()), "agent", "Mözilla/5.0 (X11; Linux)"),
        (COMBINED.replace(b"Mozilla", b"M\xf6zilla"), "agent", "M\ufffdzilla/5.0 (X11; Linux)"),
        (COMBINED.replace(b" - - ", b" - john doe "), "authuser", "john doe"),
        (COMBINED.replace(b"200 6291", b"304 -"), "bytes", None),
        (COMBINED.replace(b'"GET /mailman/listinfo/hsdivision HTTP/1.1"', b'"-"'), "request", None),
        (COMBINED.replace(b'"http://a/"', b'""'), "referer", ""),
        (COMBINED.replace(b"64.242.88.10", b"[2001:db8::1]"), "host", "[2001:db8::1]"),
        (COMBINED.replace(b"\n", b"\r\n"), "agent", "Mozilla/5.0 (X11; Linux)"),
        (COMBINED.replace(b"\n", b" \n"), "agent", "Mozilla/5.0 (X11; Linux)"),
        (COMBINED.replace(b"Mozilla", b"a\tb\x01"), "agent", "a\tb\x01/5.0 (X11; Linux)"),
    ],
)
def test_lines_of_access_logs_that_are_not_quite_usual(line: bytes, field: str, value: str | None) -> None:
    out = members(line, log_to_json("COMBINEDAPACHELOG"))
    assert out[field] == value
    assert out["response"] in ("200", "304")


@pytest.mark.parametrize(
    "line",
    [
        COMMON,
        COMBINED[:-3],
        COMBINED.replace(b"[", b""),
        COMBINED.replace(b" 200 ", b" 2000 "),
        COMBINED.replace(b" 200 ", " \u00b2\u06600 ".encode()),
        COMBINED.replace(b" - - ", b"  - "),
        b"x" + b" " * 1000,
    ],
)
def test_lines_of_no_combined_log_are_rejected(line: bytes) -> None:
    assert one(line, log_to_json("COMBINEDAPACHELOG")) is None


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (
            b"[Wed Oct 11 14:32:52 2000] [error] [client 127.0.0.1] client denied by server configuration: /export",
            (
                "Wed Oct 11 14:32:52 2000",
                None,
                "error",
                None,
                None,
                "127.0.0.1",
                "client denied by server configuration: /export",
            ),
        ),
        (
            b"[Sun Dec 04 04:47:44 2005] [notice] workerEnv.init() ok",
            ("Sun Dec 04 04:47:44 2005", None, "notice", None, None, None, "workerEnv.init() ok"),
        ),
        (
            b"[Fri Sep 09 10:42:29.902022 2011] [core:error] [pid 35708:tid 4328636416] [client 72.15.99.187:5] No f",
            (
                "Fri Sep 09 10:42:29.902022 2011",
                "core",
                "error",
                "35708",
                "4328636416",
                "72.15.99.187:5",
                "No f",
            ),
        ),
        (
            b"[T] [proxy:error] [pid 12] (111)Connection refused: [client ::1:80] AH00957: HTTP: failed",
            ("T", "proxy", "error", "12", None, "::1:80", "(111)Connection refused: AH00957: HTTP: failed"),
        ),
        (
            b"[T] [mpm_event:notice] [pid 1:tid 2] AH00489: Apache [x]",
            ("T", "mpm_event", "notice", "1", "2", None, "AH00489: Apache [x]"),
        ),
        (b"[T] [-:error] -", ("T", None, "error", None, None, None, None)),
        (b"[T] [error] two\nlines\n", ("T", None, "error", None, None, None, "two\nlines")),
    ],
)
def test_error_logs_of_both_forms(line: bytes, fields: tuple[str | None, ...]) -> None:
    out = members(line, log_to_json("APACHEERRORLOG"))
    assert list(out) == ["timestamp", "module", "severity", "processid", "threadid", "client", "message"]
    assert tuple(out.values()) == fields


@pytest.mark.parametrize(
    ("rest", "program", "processid", "message"),
    [
        ("sshd[24200]: Invalid user x from 1.2.3.4", "sshd", "24200", "Invalid user x from 1.2.3.4"),
        ("sshd(pam_unix)[19939]: check pass", "sshd(pam_unix)", "19939", "check pass"),
        ("kernel: [0.1] x: y", "kernel", None, "[0.1] x: y"),
        ("postfix/smtpd[1]: a", "postfix/smtpd", "1", "a"),
        ("syslogd 1.4.1: restart.", "syslogd 1.4.1", None, "restart."),
        ("-- MARK --", None, None, "-- MARK --"),
        ("last message repeated 2 times", None, None, "last message repeated 2 times"),
        ("su: -", "su", None, "-"),
        ("app[]: tab\there", "app", "", "tab\there"),
    ],
)
@pytest.mark.parametrize(
    ("log_format", "time_"),
    [
        ("SYSLOG", "Jun 14 15:16:01"),
        ("SYSLOG", "Jun  4 15:16:01"),
        ("SYSLOG", "<34>Jun 4 15:16:01"),
        ("RFC3339SYSLOG", "2018-06-01T12:00:00.123456+02:00"),
        ("RFC3339SYSLOG", "2018-06-01T12:00:00Z"),
    ],
)
def test_system_logs(log_format: str, time_: str, rest: str, program: str, processid: str, message: str) -> None:
    out = members(f"{time_} host.example {rest}\n".encode(), log_to_json(log_format))
    assert out == {
        "timestamp": time_.removeprefix("<34>"),
        "hostname": "host.example",
        "program": program,
        "processid": processid,
        "message": message,
    }


def test_a_match_pattern_has_to_match_the_whole_record() -> None:
    pattern = r"^([\d.]+) (\S+) (\S+) \[([\w:/]+\s[+\-]\d{4})\] \"(.+?)\" (\d{3})"
    names = ["host", "ident", "authuser", "datetime", "request", "response"]
    option = log_to_json("COMMONAPACHELOG", matchPattern=pattern, customFieldNames=names)
    assert one(COMMON, option) is None
    assert members(COMMON.removesuffix(b" 6291\n"), option)["ident"] is None


def test_a_hyphen_stays_where_the_format_is_not_apaches_and_a_group_that_takes_no_part_is_null() -> None:
    option = log_to_json("SYSLOG", matchPattern="(a)|(?<other>-)", customFieldNames=["a", "b"])
    assert members(b"-\n", option) == {"a": None, "b": "-"}


def test_records_too_long_for_a_users_pattern_are_not_tried() -> None:
    rejected: list[tuple[bytes, str]] = []
    option = log_to_json("SYSLOG", matchPattern="(.*)", customFieldNames=["a"])
    assert chain_of(option, rejected=rejected).process([b"a" * (MATCHED_BYTES_MAX + 1)]) == [None]
    assert "longer than" in rejected[0][1]


NASTY = [
    b"a b " + b"c " * 100_000,
    b"a b c [" + b"d] [" * 100_000,
    b'a b c [d] "' + b'\\"' * 100_000,
    b'a b c [d] "e" 200 ' + b"1" * 200_000,
    b'a b c [d] "e" 200 1 "' + b'" "' * 70_000,
    b"[" * 200_000,
    b"[T] [" + b"a:" * 100_000,
    b"[T] [e] " + b"(1)x: " * 40_000 + b"[client ",
    b"[T] [e] [client " + b"[client " * 40_000,
    b"Jan  1 00:00:00 h " + b"a[" * 100_000,
    b"Jan  1 00:00:00 h " + b"1 " * 100_000,
    b"2018-06-01T12:00:00." + b"1" * 200_000,
]


@pytest.mark.parametrize(
    "log_format", ["COMMONAPACHELOG", "COMBINEDAPACHELOG", "APACHEERRORLOG", "SYSLOG", "RFC3339SYSLOG"]
)
def test_no_line_takes_the_built_in_formats_more_than_linear_time(log_format: str) -> None:
    chain = chain_of(log_to_json(log_format))
    before_s = time.process_time()
    chain.process(NASTY)
    assert time.process_time() - before_s < 2.0  # 2 MB: 0.02 s; with one expression that backtracks: minutes


# CSVTOJSON


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ('1,"3,4",5', ["1", "3,4", "5", None]),
        ('"","a ""b""", "c" ,d', ["", 'a "b"', "c", "d"]),
        ('"xxx, xxx.","xxx&xx"', ["xxx, xxx.", "xxx&xx", None, None]),
        ("v1, v2", ["v1", "v2", None, None]),
        ("a,,b,", ["a", "", "b", ""]),
        ("1,2,3,4,5,6", ["1", "2", "3", "4"]),
        ('"open,a,b', ['"open', "a", "b", None]),
        ('"a"b,c', ['"a"b', "c", None, None]),
        ('5" pipe,"two\nlines"', ['5" pipe', "two\nlines", None, None]),
        ('" kept ",x', [" kept ", "x", None, None]),
        ('"a","b","c","d","e"', ["a", "b", "c", "d"]),
    ],
)
def test_fields_of_csv(line: str, fields: list[str | None]) -> None:
    out = members(line.encode() + b"\r\n", csv_to_json("a", "b", "c", "d"))
    assert list(out.values()) == fields


@pytest.mark.parametrize(
    ("delimiter", "line", "fields"),
    [
        ("\\t", 'a\t\t"c\td"', ["a", "", "c\td"]),
        ("\t", "a\tb\tc", ["a", "b", "c"]),
        ("\\|", 'a|"b|c"|d', ["a", "b|c", "d"]),
        ("::", 'a::":::"::c', ["a", ":::", "c"]),
        ("\\s*;\\s*", 'a ; "b;"; c', ["a", "b;", "c"]),
        ("(,|;)", "a,b;c", ["a", "b", "c"]),
        (" +", "a  b c", ["a", "b", "c"]),
        ("(?<=b)|,", "ab,cb", ["ab", "cb", None]),
        ("\\p{Punct}", "a.b!c", ["a", "b", "c"]),
    ],
)
def test_delimiters_are_regular_expressions(delimiter: str, line: str, fields: list[str | None]) -> None:
    assert list(members(line.encode(), csv_to_json("a", "b", "c", delimiter=delimiter)).values()) == fields


def test_blank_lines_are_no_csv() -> None:
    assert chain_of(csv_to_json("a")).process([b"\n", b"  \r\n", b"a\n"]) == [None, None, b'{"a":"a"}\n']


# SINGLELINE


@pytest.mark.parametrize(
    ("options", "out"),
    [
        ([], b"abc d\n"),
        (["ESCAPE_NEW_LINE"], b"a\\nb\\n\\nc d\n"),
        (["NO_TRIM"], b" a b\t\tc d\n"),
        (["NO_TRIM", "ESCAPE_NEW_LINE"], b" a\\n b\t\\n\\n\tc d\n"),
    ],
)
def test_lines_become_one(options: list[str], out: bytes) -> None:
    record = b" a\n b\t\r\n\n\tc d\n"
    assert one(record, {"optionName": "SINGLELINE", "parseOptions": options}) == out


def test_a_single_line_keeps_bytes_that_are_no_utf8() -> None:
    assert one(b" \xff\xe9\n", {"optionName": "SINGLELINE"}) == b"\xff\xe9\n"


# ADDMETADATA, ADDEC2METADATA


def test_metadata_may_be_any_object_and_have_a_time() -> None:
    option = {"optionName": "ADDMETADATA", "metadata": {"a": {"b": [1, None, "é"]}}, "timestamp": "true"}
    out = one(b'raw "line"\n', option)
    assert out is not None
    assert json.loads(out) == {
        "ts": "2023-11-14T22:13:20.000Z",
        "metadata": {"a": {"b": [1, None, "é"]}},
        "data": 'raw "line"',
    }


def test_host_metadata_goes_over_members_and_leaves_others_as_they_were_written() -> None:
    record = b'{"big": 12345678901234567890123, "instanceId": "forged", "e": 1e400, "s": "\\u00e9"}\n'
    out = one(record, {"optionName": "ADDEC2METADATA", "logFormat": "SYSLOG"})
    assert out is not None
    assert b'"big":12345678901234567890123' in out
    assert b'"e":1e400' in out
    assert json.loads(out)["instanceId"] == "i-0abc"


@pytest.mark.parametrize("record", [b"a plain line\n", b"[1]\n", b"{broken\n", b"\xff\n"])
def test_host_metadata_for_what_is_no_json_object(record: bytes) -> None:
    out = members(record, {"optionName": "ADDEC2METADATA"})
    assert out == {"data": record.decode("utf-8", "replace").strip(), **HOST}


def test_the_host_is_asked_once_and_only_for_records() -> None:
    asked: list[int] = []

    def host() -> dict[str, Any]:
        asked.append(1)
        return {"a": 1}

    chain = make_chain(({"optionName": "ADDEC2METADATA"},), lambda record, reason: None, host_metadata=host)
    assert not asked
    chain.process([b"{}", b"{}"])
    chain.process([b"{}"])
    assert len(asked) == 1


def test_pretty_printed() -> None:
    out = one(b"1,2", csv_to_json("a", "b", jsonFormat="PRETTYPRINT"))
    assert out == b'{\n  "a": "1",\n  "b": "2"\n}\n'


# Options that cannot be used


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        (7, ".optionName: is missing; give one of SINGLELINE,"),
        ({"optionName": "LOGTOJSN"}, ".optionName: 'LOGTOJSN' is not a processor; did you mean LOGTOJSON?"),
        (log_to_json("APACHE"), ".logFormat: 'APACHE' is not one of COMMONAPACHELOG,"),
        ({"optionName": "LOGTOJSON"}, ".logFormat: is missing"),
        (log_to_json("SYSLOG", matchPattern="(.*)"), ".customFieldNames: is missing; a matchPattern needs a name"),
        (log_to_json("SYSLOG", matchPattern="(.*", customFieldNames=["a"]), ".matchPattern: a group is not closed"),
        (
            log_to_json("SYSLOG", matchPattern="(a)", customFieldNames=["a", "b"]),
            ".customFieldNames: has 2 names for 1",
        ),
        (log_to_json("SYSLOG", customFieldNames=["a", "a"]), ".customFieldNames: the name 'a' is there more than once"),
        (log_to_json("SYSLOG", customFieldNames="a"), ".customFieldNames: 'a' is not a list of field names"),
        (log_to_json("SYSLOG", jsonFormat="XML"), ".jsonFormat: 'XML' is not one of COMPACT, PRETTYPRINT"),
        ({"optionName": "CSVTOJSON"}, ".customFieldNames: is missing; name the fields"),
        (csv_to_json("a", delimiter="|"), ".delimiter: '|' also matches where nothing is"),
        (csv_to_json("a", delimiter="["), ".delimiter: a [ without its ]"),
        (csv_to_json("a", delimiter=1), ".delimiter: 1 is not a text"),
        ({"optionName": "SINGLELINE", "parseOptions": ["TRIM"]}, ".parseOptions: ['TRIM'] is not a list of NO_TRIM"),
        ({"optionName": "ADDMETADATA"}, ".metadata: is missing"),
        ({"optionName": "ADDMETADATA", "metadata": []}, ".metadata: [] is not an object"),
        ({"optionName": "ADDMETADATA", "metadata": {}, "timestamp": 2}, ".timestamp: 2 is neither true nor false"),
    ],
)
def test_options_that_cannot_be_used_are_refused_with_their_place(option: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        make_chain((option,), lambda record, reason: None)
    assert f"dataProcessingOptions[0]{problem}" in str(refusal.value)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(OptionsError) as refusal:
        make_chain(({"optionName": "X"}, csv_to_json("a", delimiter="(", jsonFormat=1)), lambda record, reason: None)
    assert [problem.split(":")[0] for problem in refusal.value.problems] == [
        "dataProcessingOptions[0].optionName",
        "dataProcessingOptions[1].delimiter",
        "dataProcessingOptions[1].jsonFormat",
    ]


def test_keys_that_mean_nothing_are_warned_about() -> None:
    problems, warnings = check_options((csv_to_json("a", delimeter=";"), {"optionName": "SINGLELINE"}))
    assert not problems
    assert warnings == ["dataProcessingOptions[0].delimeter: is ignored: unknown key; did you mean delimiter?"]


def test_keys_of_the_flow_in_a_processor_are_told_where_they_belong() -> None:
    """As a much copied tutorial has them, with the mistake in the name."""
    _, warnings = check_options((csv_to_json("a", initialPostion="START_OF_FILE", maxBufferAgeMillis="2000"),))
    assert warnings == [
        f"dataProcessingOptions[0].{key}: is ignored: {meant} belongs into the flow, beside dataProcessingOptions"
        for key, meant in (("initialPostion", "initialPosition"), ("maxBufferAgeMillis", "maxBufferAgeMillis"))
    ]


@pytest.mark.parametrize(
    ("options", "record"),
    [
        ({"logFormat": "SYSLOG", "optionName": "LOGTOJSON", "matchPattern": r"((\w+\s*)+):"}, b"word " * 200),
        ({"delimiter": r"(\w+\s*)+:", "optionName": "CSVTOJSON"}, b"word " * 200),
    ],
)
def test_a_pattern_that_backtracks_for_ever_is_stopped(options: dict[str, Any], record: bytes) -> None:
    """The record is rejected, and the agent goes on."""
    rejected: list[tuple[bytes, str]] = []
    options["customFieldNames"] = ["a", "b"]
    out = chain_of(options, rejected=rejected).process([record, b"words:"])
    assert [each is None for each in out] == [True, False]
    assert [(each, reason[-21:]) for each, reason in rejected] == [(record, " takes too long on it")]


def test_all_of_a_block_is_encoded_and_rejected_records_leave_holes() -> None:
    chain = make_chain(({"optionName": "CSVTOJSON", "customFieldNames": ["a"]},), lambda *_: None)
    assert chain.process([b"1\n", b" \n", b'"x\ny"\n', b"\n"]) == [b'{"a":"1"}\n', None, b'{"a":"x\\ny"}\n', None]
    assert chain.process([b"\n"]) == [None]
    assert chain.process([]) == []
