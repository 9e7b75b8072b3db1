"""Queries that never end or build something huge: stopped by the kernel, for the record that they do it with alone."""

from __future__ import annotations

import subprocess

import pytest

from millstream.firehose.processing.jqprocess import JqProcess
from millstream.firehose.processing.jqquery import QueryError, query_problem
from millstream.firehose.processing.partitioning import Partitioner

RECORDS = [b'{"a":"x"}', b'{"a":"bad"}', b'{"a":"y"}']


TOO_MUCH = "the query takes more than 1 s of processor time, or more than 512 MiB of memory, for this record"


def test_only_the_record_that_it_grows_with_fails() -> None:
    query = '{a: (if .a == "bad" then (def f: f + f; f) else .a end)}'
    lanes, failed = Partitioner(query).sort(RECORDS, 0)
    assert [record for records in lanes.values() for record in records] == [RECORDS[0], RECORDS[2]]
    ((record, failure),) = failed
    assert record == RECORDS[1]
    assert failure.message == TOO_MUCH


def test_a_query_that_does_not_end() -> None:
    (answer,) = JqProcess("{a: [range(1e12)] | length}").run_all([b"{}"], 0)
    assert str(answer) == TOO_MUCH


def test_answers_and_errors_come_in_order() -> None:
    query = JqProcess("{a: .a, now: now}")
    one, two, three = query.run_all([b'{"a":1}', b"no JSON", b'{"a":[2]}'], 7.5)
    assert (one, three) == ({"a": 1, "now": 7.5}, {"a": [2], "now": 7.5})
    assert isinstance(two, QueryError)
    assert query.run_all([], 0) == []


def test_the_child_ends_with_the_query_and_comes_back_when_it_was_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen[bytes]):
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)  # type: ignore[call-overload]
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    query = JqProcess("{a: (.a)}")
    assert query.run_all(RECORDS[:1], 0) == [{"a": "x"}]
    started[0].kill()
    assert query.run_all(RECORDS[:2], 0) == [{"a": "x"}, {"a": "bad"}]
    del query
    assert [child.returncode for child in started] == [-9] * len(started)


def test_a_child_does_not_see_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLSTREAM_SECRET", "hidden")
    assert JqProcess("{a: ($ENV | length), b: (env | length)}").run_all([b"{}"], 0) == [{"a": 0, "b": 0}]


@pytest.mark.parametrize("query", ["1)|(2", "{a: .a}) | ({b: .b}", ". as $x | (", 'import "x" as x; .', "{a: .a}}"])
def test_what_is_no_query(query: str) -> None:
    assert query_problem(query)


def test_a_problem_is_told_with_its_place_in_the_query() -> None:
    assert "foo/1 is not defined at <top-level>, line 1, column 5" in (query_problem("{a: foo(1)}") or "")


@pytest.mark.parametrize(
    "query", ['"x" * 4000000000', '("x")*(4e9)', '4e9 * "x"', '{a: ("x" * 4e9)}', '"y\\("x" * 4e9)"']
)
def test_strings_that_would_be_multiplied_while_jq_compiles(query: str) -> None:
    assert query_problem(query) == "a string cannot be multiplied here"


@pytest.mark.parametrize(
    "query", ["{a: .a}", "{a: (.a * 1000)}", '{a: (.a | split("-")[0])} # why', '{a: (.a | test("^x.*"))}']
)
def test_what_is_a_query(query: str) -> None:
    assert query_problem(query) is None
