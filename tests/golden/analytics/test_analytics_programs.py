"""Programs of the kinds that people published: each parses, to the trees in programs/trees.txt.

To write that file anew after a change of the language: `python -m tests.golden.analytics.test_analytics_programs`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlglot import exp

from millstream.analytics.language.nodes import span_of
from millstream.analytics.language.parser import parse_program
from support.sqltrees import compact

PROGRAMS = Path(__file__).parent / "programs"
TREES = PROGRAMS / "trees.txt"


def _trees(path: Path) -> list[str]:
    return [compact(statement) for statement in parse_program(path.read_text(encoding="utf-8"))]


def _expected() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in TREES.read_text(encoding="utf-8").splitlines():
        if line.startswith("=== "):
            found[line.removeprefix("=== ")] = []
        else:
            found[list(found)[-1]].append(line)
    return found


def _written() -> str:
    blocks = [[f"=== {path.stem}", *_trees(path)] for path in sorted(PROGRAMS.glob("*.sql"))]
    return "".join(f"{line}\n" for block in blocks for line in block)


EXPECTED = _expected() if TREES.exists() else {}


def test_every_program_has_its_tree() -> None:
    assert sorted(EXPECTED) == sorted(path.stem for path in PROGRAMS.glob("*.sql"))
    assert len(EXPECTED) >= 60


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_programs_parse(name: str) -> None:
    assert _trees(PROGRAMS / f"{name}.sql") == EXPECTED[name]


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_every_node_knows_its_place(name: str) -> None:
    text = (PROGRAMS / f"{name}.sql").read_text(encoding="utf-8")
    for statement in parse_program(text):
        for node in statement.walk():
            assert isinstance(node, exp.Expression)
            span = span_of(node)
            assert span is not None
            assert 0 <= span.start < span.end <= len(text)
            parent = span_of(node.parent) if isinstance(node.parent, exp.Expression) else None
            assert parent is None or parent.start <= span.start < span.end <= parent.end


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_layout_and_case_of_words_mean_nothing(name: str) -> None:
    """Words in other case, and every space a comment and a new line, make the same trees."""
    text = (PROGRAMS / f"{name}.sql").read_text(encoding="utf-8")
    if name in ("comments", "empty") or any(sign in text for sign in ("--", "//", "/*")):
        return
    pieces = text.split("'")
    for index in range(0, len(pieces), 2):
        names = pieces[index].split('"')
        names[::2] = [part.swapcase().replace(" ", " /* */\n") for part in names[::2]]
        pieces[index] = '"'.join(names)
    assert [compact(one) for one in parse_program("'".join(pieces))] == EXPECTED[name]


if __name__ == "__main__":
    TREES.write_text(_written(), encoding="utf-8")
