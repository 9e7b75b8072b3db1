"""Partition keys out of records."""

from __future__ import annotations

from functools import cache

import pytest

from millstream.firehose.processing.jqquery import QueryError, query_problem
from millstream.firehose.processing.keytext import key_text
from millstream.firehose.processing.partitioning import Partitioner
from millstream.firehose.processing.paths import simple_paths
from support.processing import ARRIVAL_MS


@pytest.mark.parametrize(
    ("query", "paths"),
    [
        ("{sector:.SECTOR}", {"sector": ("SECTOR",)}),
        ('{ "a b" : .a.b , c : .x["y z"][0].w }', {"a b": ("a", "b"), "c": ("x", "y z", 0, "w")}),
        ('{a: ."b c", d: .["e"], f: .[3]}', {"a": ("b c",), "d": ("e",), "f": (3,)}),
        ("{a: .a|tostring}", None),
        ("{a: .a, a: .b}", None),
        ("{a}", None),
        ("{a: .}", None),
        ("{a: .a[]}", None),
        ("{a: .a[-1]}", None),
        ("{a: .a?}", None),
        ("{(.a): .b}", None),
        ('{a: ."b\\(1)"}', None),
        ("{a: .a} | .a", None),
        ("{a: .a,}", None),
        (".a", None),
        ("", None),
    ],
)
def test_queries_that_only_pick_fields_are_known(query: str, paths: dict[str, object] | None) -> None:
    assert simple_paths(query) == paths


partitioner = cache(Partitioner)  # jq is a process of its own, which takes longer to start than all that we ask it


def _keys(query: str, record: bytes) -> dict[str, str] | str:
    """The partition keys of a record, or why it has none."""
    lanes, failed = partitioner(query).sort([record], ARRIVAL_MS)
    if failed:
        ((raw, failure),) = failed
        assert raw == record
        assert (failure.kind, failure.code) == (
            "metadata-extraction-failed",
            "DynamicPartitioning.MetadataExtractionFailed",
        )
        return failure.message
    ((lane, records),) = lanes.items()
    assert records == [record]
    return dict(lane.partition)


MISSING = "partitionKeys values must not be null or empty"


@pytest.mark.parametrize("query", ["{a: .a, b: .b.c}", "{a: .a, b: (.b.c)}"])  # native, and by jq
@pytest.mark.parametrize(
    ("record", "keys"),
    [
        (b'{"a": "x", "b": {"c": "y"}}', {"query:a": "x", "query:b": "y"}),
        (b'{"a": 1.0, "b": {"c": -0.50}}', {"query:a": "1", "query:b": "-0.5"}),
        (b'{"a": true, "b": {"c": false}}', {"query:a": "true", "query:b": "false"}),
        (b'{"a": 1, "a": "z", "b": {"c": 1}, "b": {"c": "last"}}', {"query:a": "z", "query:b": "last"}),
        (b'{"a": 1e400, "b": {"c": 007}}', {"query:a": "1.7976931348623157e+308", "query:b": "7"}),
        (
            '{"a": "\\u00fc\\ud83d\\ude00", "b": {"c": "\u00fc"}}'.encode(),
            {"query:a": "\u00fc\U0001f600", "query:b": "\u00fc"},
        ),
        (b'{"a": "x", "b": {"c": "y"}, "d": "\xff"}', {"query:a": "x", "query:b": "y"}),
        (b'{"b": {"c": "y"}}', MISSING),
        (b'{"a": null, "b": {"c": "y"}}', MISSING),
        (b'{"a": "", "b": {"c": "y"}}', MISSING),
        (b'{"a": "x"}', MISSING),
        (b'{"a": "x", "b": null}', MISSING),
        (b"null", MISSING),
        (b'{"a": "x", "b": "y"}', 'Cannot index string with string ("c")'),
        (b'["x"]', 'Cannot index array with string ("a")'),
        (b'{"a": [1], "b": {"c": "y"}}', "a partition key must be a string, a number or a boolean, not an array"),
        (b'{"a": {}, "b": {"c": "y"}}', "a partition key must be a string, a number or a boolean, not an object"),
        (b'{"a": "x", "b": {"c": "y"}}{}', "Non JSON record provided"),
        (b'{"a": "x", "b": {"c": "y"}}], [1, {}', "Non JSON record provided"),
        (b"", "Non JSON record provided"),
        (b"text", "Non JSON record provided"),
        (b'{"a": "x"', "Non JSON record provided"),
        (b'{"a": "x", "b": {"c": "y"}, "d": ' + b"[" * 20_000 + b"]" * 20_000 + b"}", "Non JSON record provided"),
    ],
)
def test_native_and_jq_find_the_same_keys(query: str, record: bytes, keys: dict[str, str] | str) -> None:
    assert _keys(query, record) == keys


@pytest.mark.parametrize("query", ["{a: .a[1], b: .a, c: .c[0].d}", "{a: (.a[1]), b: .a, c: .c[0].d}"])
def test_indexes_and_what_is_below_others(query: str) -> None:
    assert "not an array" in _keys(query, b'{"a": [1, 2], "c": [{"d": 3}]}')
    assert _keys(query.replace("b: .a,", ""), b'{"a": [1, 2], "c": [{"d": 3}]}') == {"query:a": "2", "query:c": "3"}
    assert _keys(query, b'{"a": {"x": 1}, "c": []}') == "Cannot index object with number (1)"
    assert _keys("{a: .a[7]}", b'{"a": [1, 2]}') == MISSING


def test_queries_are_run_as_they_are_meant() -> None:
    assert _keys('{year: (.ts | strftime("%Y")), n: (.list | length)}', b'{"ts": 1700000000, "list": [1, 2]}') == {
        "query:n": "2",
        "query:year": "2023",
    }


def test_now_is_when_the_record_arrived() -> None:
    assert _keys('{y: (now | strftime("%Y-%m-%d"))}', b"{}") == {"query:y": "2024-11-23"}


@pytest.mark.parametrize("query", ["$ENV", "env", "{}", ".[]?"])
def test_a_query_sees_nothing_of_the_process(query: str) -> None:
    assert _keys(query, b"{}") in (MISSING, "the query must make one JSON object of a record")


@pytest.mark.parametrize("query", ["repeat({a: 1})", "{a: 1}, {a: 2}", "empty", "[1]", '"x"', "input", "halt"])
def test_a_query_must_make_one_object(query: str) -> None:
    assert isinstance(_keys(query, b"{}"), str)


@pytest.mark.parametrize("query", ["{a: ", 'import "x" as $x; {a: $x}', "{a: nothing}", "{a: .a}) | (", ""])
def test_wrong_queries_are_told(query: str) -> None:
    assert query_problem(query)
    with pytest.raises(QueryError):
        Partitioner(query)


def test_right_queries_are_taken() -> None:
    assert query_problem("{a: .a} # the sector") is None


def test_records_keep_their_order_in_their_lanes() -> None:
    records = [b'{"a":"x","n":%d}' % n if n % 3 else b'{"a":"y","n":%d}' % n for n in range(9)]
    records.insert(4, b'{"a":"x","b":07}')  # only jq takes this one
    lanes, failed = Partitioner("{a: .a}").sort(records, ARRIVAL_MS, (("lambda:z", "1"),))
    assert not failed
    for lane, members in lanes.items():
        assert lane.partition[0] == ("lambda:z", "1")
        assert members == [record for record in records if b'"%s"' % lane.partition[1][1].encode() in record]
    assert len(lanes) == 2


def test_values_that_python_takes_for_equal_are_different_keys() -> None:
    records = [b'{"a":"1"}', b'{"a":1}', b'{"a":true}', b'{"a":1.0}', b'{"a":"true"}']
    lanes, _ = Partitioner("{a: .a}").sort(records, ARRIVAL_MS)
    assert {lane.partition[0][1]: len(members) for lane, members in lanes.items()} == {"1": 3, "true": 2}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (-0.0, "0"), (7, "7"), (1.0, "1"), (1e15, "1000000000000000"), (1e17, "1e+17"), (2.5e-7, "2.5e-07"),
        (12345678901234567890, "12345678901234567000"), (-1.5e300, "-1.5e+300"), (0.0001, "0.0001"), (1e-5, "1e-05"),
        (10**400, "1.7976931348623157e+308"), (2**53 + 1, "9007199254740992"), (-(10**400), "-1.7976931348623157e+308"),
    ],
)  # fmt: skip
def test_numbers_are_printed_as_jq_does(value: float, text: str) -> None:
    assert key_text(value) == text


@pytest.mark.parametrize("query", ["{a: .a, b: .b}", "{a: (.a), b: .b}"])
def test_values_that_are_too_long_for_an_objects_key_fail_their_record(query: str) -> None:
    assert _keys(query, b'{"a": "%s", "b": "y"}' % (b"x" * 511)) == {"query:a": "x" * 511, "query:b": "y"}
    too_long = _keys(query, b'{"a": "%s", "b": "y"}' % (b"x" * 512))
    assert too_long == "partitionKeys values must not have more than 512 characters"
