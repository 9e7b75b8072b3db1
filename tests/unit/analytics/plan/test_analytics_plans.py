"""Programs and their plans (plans.txt), and programs that are refused, with the place, the words and the hint
(mistakes.txt)."""

from __future__ import annotations

import random
import re
from contextlib import suppress
from pathlib import Path

import pytest

from millstream.analytics.language.errors import SqlError
from millstream.analytics.language.parser import parse_program
from millstream.analytics.plan.explain import explain
from millstream.analytics.plan.nodes import Scan
from millstream.analytics.plan.program import plan_program
from millstream.analytics.plan.walking import inputs_of, walk
from support.planned import CATALOG, cases, planned

HERE = Path(__file__).parent
PLANS = cases(HERE / "plans.txt")
MISTAKES = cases(HERE / "mistakes.txt")
PROGRAMS = [program for program, _ in [*PLANS.values(), *MISTAKES.values()]]


@pytest.mark.parametrize("title", PLANS)
def test_a_program_has_its_plan(title: str) -> None:
    program, expected = PLANS[title]
    _, _, operators = explain(planned(program)).partition("\n\n")
    assert operators == expected


@pytest.mark.parametrize("title", MISTAKES)
def test_a_mistake_is_told_with_its_place(title: str) -> None:
    program, expected = MISTAKES[title]
    with pytest.raises(SqlError) as caught:
        planned(program)
    error = caught.value
    assert error.span is not None
    hint = f"\nhint: {error.hint}" if error.hint else ""
    assert f"{error.span.line}:{error.span.column}: {error.message}{hint}" == expected
    assert error.offending == program[error.span.start : error.span.end] != ""
    assert program.splitlines()[error.span.line - 1] in error.report()


def test_streams_of_a_program_are_told_first() -> None:
    text = explain(planned("CREATE STREAM o (n DECIMAL(10,2));"))
    source, errors, own = text.splitlines()
    assert source.startswith("SOURCE SOURCE_SQL_STREAM_001 (TICKER_SYMBOL VARCHAR(4), SECTOR VARCHAR(16), CHANGE REAL")
    assert errors.startswith('STREAM "error_stream" (ERROR_TIME TIMESTAMP, ERROR_LEVEL VARCHAR(10), ERROR_NAME')
    assert own == "STREAM O (N DECIMAL(10, 2))"


@pytest.mark.parametrize("title", PLANS)
def test_a_plan_does_not_depend_on_how_the_program_is_laid_out(title: str) -> None:
    program = PLANS[title][0]
    assert planned(program) == planned("-- a comment\n\n" + program.replace("\n", "\n  "))


@pytest.mark.parametrize("title", PLANS)
def test_every_operator_has_a_name_of_its_own_and_columns_of_different_names(title: str) -> None:
    plan = planned(PLANS[title][0])
    names = [name for name, _ in walk(plan)]
    assert len(set(names)) == len(names)
    for _, node in walk(plan):
        columns = [column.name for column in node.columns]
        assert len(set(columns)) == len(columns)
        hash(node)
    for pump in plan.pumps:
        assert pump.query.columns == plan.streams[pump.target].columns


def test_names_of_operators_say_where_they_are() -> None:
    plan = planned(PLANS["a join of streams"][0])
    places = {name: type(node).__name__ for name, node in walk(plan)}
    assert places == {"0@": "Project", "0.0@": "WindowJoin", "0.0.0@": "Scan", "0.0.1@": "Scan"}


def test_a_scan_has_only_columns_that_something_above_it_uses() -> None:
    plan = planned('SELECT STREAM a FROM (SELECT STREAM n AS a, price AS b FROM "SOURCE_SQL_STREAM_001") WHERE a > 1')
    (scan,) = [node for _, node in walk(plan) if isinstance(node, Scan)]
    assert [column.name for column in scan.columns] == ["SOURCE_SQL_STREAM_001.N"]
    assert inputs_of(scan) == ()


def test_deep_nesting_is_refused_not_a_crash() -> None:
    views = ['CREATE VIEW v0 AS SELECT STREAM n, price FROM "SOURCE_SQL_STREAM_001";']
    for i in range(1, 34):
        group = f"GROUP BY n, STEP(v{i - 1}.ROWTIME BY INTERVAL '1' SECOND) HAVING n > {i}"
        views.append(f"CREATE VIEW v{i} AS SELECT STREAM n + {i} AS n, MAX(price) AS price FROM v{i - 1} {group};")
    assert planned("\n".join(views[:20]) + "SELECT STREAM n FROM v19").query is not None
    with pytest.raises(SqlError, match="more than 32 levels"):
        planned("\n".join(views))


def test_functions_of_functions_do_not_grow_without_bound() -> None:
    program = ["CREATE FUNCTION f0 (a INTEGER) RETURNS INTEGER RETURN a + a;"]
    program += [
        f"CREATE FUNCTION f{i} (a INTEGER) RETURNS INTEGER RETURN f{i - 1}(a) + f{i - 1}(a);" for i in range(1, 60)
    ]
    with pytest.raises(SqlError, match="too large"):
        planned("\n".join(program))


def test_views_of_views_do_not_grow_without_bound() -> None:
    source = '"SOURCE_SQL_STREAM_001"'
    program = [f"CREATE VIEW v0 AS SELECT STREAM n FROM {source};"]
    for i in range(1, 60):
        sides = f"v{i - 1} AS a JOIN v{i - 1} OVER (ROWS 1 PRECEDING) AS b"
        program.append(f"CREATE VIEW v{i} AS SELECT STREAM a.n FROM {sides} ON a.n = b.n;")
    with pytest.raises(SqlError, match="more than 250 streams"):
        planned("\n".join(program))


_TOKEN = re.compile(r"\"[^\"]*\"|'[^']*'|[A-Za-z_][A-Za-z_0-9]*|[0-9]+|\s+|.", re.DOTALL)
_KIND = re.compile(r"(?P<text>')|(?P<name>[A-Za-z_\"])|(?P<number>[0-9])")


def _kind(token: str) -> str:
    found = _KIND.match(token)
    return found.lastgroup or "" if found is not None else ""


def test_programs_with_words_changed_have_a_plan_or_a_mistake() -> None:
    """Whatever the program: a plan or an SqlError, nothing else."""
    generator = random.Random(20160811)
    words: dict[str, list[str]] = {}
    for token in (token for program in PROGRAMS for token in _TOKEN.findall(program)):
        words.setdefault(_kind(token), []).append(token)
    for _ in range(250):
        tokens = _TOKEN.findall(generator.choice(PROGRAMS))
        places = [place for place, token in enumerate(tokens) if _kind(token)]
        for place in generator.sample(places, k=min(len(places), generator.randint(1, 2))):
            tokens[place] = generator.choice(words[_kind(tokens[place])])
        text = "".join(tokens)
        with suppress(SqlError):
            explain(plan_program(parse_program(text), CATALOG, text=text))
