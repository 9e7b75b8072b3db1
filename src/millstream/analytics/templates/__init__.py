"""The console's templates: complete programs over the demo stream, each in a file of its own."""

from __future__ import annotations

from importlib import resources
from typing import NamedTuple


class Template(NamedTuple):
    """A program to begin with: `title` is what its first line says."""

    name: str
    title: str
    code: str


def templates() -> list[Template]:
    """All templates, by name."""
    files = sorted(
        (file for file in resources.files(__name__).iterdir() if file.name.endswith(".sql")), key=lambda file: file.name
    )
    return [_template(file.name.removesuffix(".sql"), file.read_text()) for file in files]


def template(name: str) -> Template | None:
    """The template of that name."""
    return next((one for one in templates() if one.name == name), None)


def _template(name: str, code: str) -> Template:
    return Template(name, code.splitlines()[0].removeprefix("-- "), code)
