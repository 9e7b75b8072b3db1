"""Whatever a program says, the parser answers with trees or with an SqlError that points into the text."""

from __future__ import annotations

from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from millstream.analytics.language.errors import SqlError
from millstream.analytics.language.nodes import span_of
from millstream.analytics.language.parser import parse_program
from support.sqltrees import compact

PROGRAMS = [
    path.read_text(encoding="utf-8")
    for path in sorted((Path(__file__).parents[1] / "golden" / "analytics" / "programs").glob("*.sql"))
]
PIECES = [
    *("SELECT", "STREAM", "FROM", "WHERE", "GROUP", "BY", "WINDOW", "OVER", "(", ")", ",", ".", ";", "*", "-", "+"),
    *("'x'", '"y"', "u&'\\0041'", "UESCAPE", "'!'", "X'0a'", "RANGE", "INTERVAL", "'1'", "MINUTE", "PRECEDING", "||"),
    *("CASE", "WHEN", "THEN", "END", "NOT", "IN", "BETWEEN", "AND", "OR", "LIKE", "ESCAPE", "TABLE", "CURSOR", "UNION"),
    *("ALL", "STEP", "FLOOR", "TO", "SECOND", "JOIN", "LEFT", "ON", "USING", "CREATE", "PUMP", "AS", "INSERT", "INTO"),
    *("1", "1.5", "1e3", "CAST", "INT", "OVERLAPS", "PERIOD", "IS", "DISTINCT", "NULL", "a", "b", "=", "<", "::", "=="),
    *(
        "{#",
        "/*",
        "*/",
        "--",
        "//",
        "\n",
        "'",
        '"',
        "\x00",
        "é",
        "\u2028",
        "\u2018",
        "\ud800",
        "$",
        "\\",
        "u&",
        "X",
        "N",
    ),
]
random_programs = st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join)
random_text = st.text(st.one_of(st.characters(), st.sampled_from("'\"()*;-/,.&uUxX!\\ \n")), max_size=60)


@st.composite
def mutated_programs(draw: st.DrawFn) -> str:
    """A real program with a piece of it cut out, cut off, doubled or replaced."""
    program = draw(st.sampled_from(PROGRAMS))
    start = draw(st.integers(0, len(program)))
    end = draw(st.integers(start, min(len(program), start + 30)))
    middle = draw(st.one_of(st.just(""), st.sampled_from(PIECES), st.just(program[start:end] * 2)))
    return program[:start] + middle + draw(st.sampled_from([program[end:], ""]))


def _answers(program: str) -> list[exp.Expression] | None:
    try:
        return parse_program(program)
    except SqlError as raised:
        error = raised
    assert error.span is not None
    assert 0 <= error.span.start <= error.span.end <= len(program)
    assert error.offending == program[error.span.start : error.span.end]
    assert error.report()
    assert str(error)
    return None


@settings(max_examples=150)
@given(random_programs | random_text)
@example("u&'\\0041' UESCAPE")
@example("{# a")
@example("/*/")
@example("'\n'\n'")
def test_any_text(program: str) -> None:
    _answers(program)


@settings(max_examples=150)
@given(mutated_programs())
def test_mutations_of_programs(program: str) -> None:
    for statement in _answers(program) or []:
        for node in statement.walk():
            span = span_of(node) if isinstance(node, exp.Expression) else None
            assert span is not None
            assert 0 <= span.start < span.end <= len(program)


# Expressions as trees of tuples, written with every parenthesis that they need and no other.
_LEVELS = {"OR": 1, "AND": 2, "NOT": 3, "=": 4, "+": 5, "-": 5, "*": 6, "/": 6, "neg": 7}
Tree = str | tuple["str | Tree", ...]
trees = st.recursive(
    st.sampled_from(["A", "B", "C"]),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["OR", "AND", "=", "+", "-", "*", "/"]), inner, inner),
        st.tuples(st.sampled_from(["NOT", "neg"]), inner),
    ),
    max_leaves=12,
)


def _written(tree: Tree, level: int = 0) -> str:
    if isinstance(tree, str):
        return tree
    operator, *operands = tree
    own = _LEVELS[str(operator)]
    if len(operands) == 1:
        text = f"{'NOT' if operator == 'NOT' else '-'} {_written(operands[0], own)}"
    else:
        left = _written(operands[0], own + (operator == "="))
        text = f"{left} {operator} {_written(operands[1], own + 1)}"
    return f"({text})" if own < level else text


def _tree(tree: Tree) -> str:
    return tree if isinstance(tree, str) else f"({' '.join([str(tree[0]), *map(_tree, tree[1:])])})"


@settings(max_examples=150)
@given(trees)
def test_precedence_and_associativity(tree: Tree) -> None:
    (statement,) = parse_program(f"SELECT STREAM x FROM s WHERE {_written(tree)}")
    parsed = compact(statement.args["where"]).replace("<", "").replace(">", "")
    assert parsed == _tree(tree)
