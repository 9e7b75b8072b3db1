"""Did you mean …?"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """A hint that names what is spelled alike, whatever the case; nothing if nothing is."""
    by_upper: dict[str, str] = {}
    for candidate in candidates:
        by_upper.setdefault(candidate.upper(), candidate)
    close = get_close_matches(name.upper(), list(by_upper), n=1, cutoff=0.65)
    return f"did you mean {written(by_upper[close[0]])}?" if close else ""


def case_hint(name: str, quoted: bool, candidates: Iterable[str]) -> str:
    """A hint for a name of which only the case is wrong."""
    for candidate in candidates:
        if candidate != name and candidate.upper() == name.upper():
            if quoted:
                return f"names in quotes count as they are written: write {written(candidate)}"
            return f"names without quotes fold to upper case: write {written(candidate)}"
    return ""


def name_hint(name: str, quoted: bool, candidates: Iterable[str]) -> str:
    """The best hint for a name that is not among the candidates."""
    known = list(candidates)
    return case_hint(name, quoted, known) or did_you_mean(name, known)


def written(name: str) -> str:
    """How to write a name so that it means just this."""
    plain = name.isidentifier() and name.isascii() and name == name.upper()
    return name if plain else '"' + name.replace('"', '""') + '"'
