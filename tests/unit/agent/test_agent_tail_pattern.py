"""Which files a filePattern names."""

from __future__ import annotations

from pathlib import Path

import pytest

from millstream.agent.tail.pattern import FilePattern, PatternError, is_compressed, translate


def found(pattern: str) -> list[str]:
    """The paths of a pattern's files, as the tail finds them."""
    files = FilePattern(pattern)
    return sorted(
        entry.path
        for directory in files.directories()
        for entry in files.entries(directory)
        if files.names(entry.name) and entry.is_file()
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in (
        "a.log",
        "b.log",
        "b.log.1",
        "b.log.2.gz",
        "x/a.log",
        "x/y/a.log",
        "x/y/z/c.txt",
        ".hid/a.log",
        ".h.log",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "x" / "loop").symlink_to(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a.log", ["a.log"]),
        ("*.log", ["a.log", "b.log"]),
        ("*.log*", ["a.log", "b.log", "b.log.1"]),
        ("{a,b}.log", ["a.log", "b.log"]),
        ("[!a].log", ["b.log"]),
        ("?.log", ["a.log", "b.log"]),
        (".h.log", [".h.log"]),
        ("**/*.log", ["a.log", "b.log", "x/a.log", "x/y/a.log"]),
        ("x/**/a.log", ["x/a.log", "x/y/a.log"]),
        ("**/y/**/*", ["x/y/a.log", "x/y/z/c.txt"]),
        ("*/a.log", ["x/a.log"]),
        ("x/[yz]/a.log", ["x/y/a.log"]),
        ("nowhere/*/a", []),
    ],
)
def test_globs_in_names_and_directories(tree: Path, pattern: str, names: list[str]) -> None:
    assert found(f"{tree}/{pattern}") == sorted(f"{tree}/{name}" for name in names)


def test_a_relative_pattern_is_of_the_working_directory(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    assert found("x/a.log") == [f"{tree}/x/a.log"]
    monkeypatch.setenv("HOME", str(tree))
    assert found("~/x/a.log") == [f"{tree}/x/a.log"]


@pytest.mark.parametrize("pattern", ["", "/var/log/", "/", "/var/**", "/var/log/..", "/var/[b-a].log"])
def test_patterns_that_name_no_files_are_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        FilePattern(pattern)


@pytest.mark.parametrize(
    "name", ["a.gz", "a.log.1.gz", "a.zip", "a.bz2", "a.log.xz", "a.zst", "a.gz.1", "a.Z", "a.tar.gz"]
)
def test_compressed_rotations_are_ignored(name: str) -> None:
    assert is_compressed(name)
    assert not FilePattern("/log/a*").names(name)


@pytest.mark.parametrize("name", ["a.log", "a.gzip.log", "gz", "a.gz.log", "zip.log", "a.log.1"])
def test_other_names_are_not_taken_for_compressed(name: str) -> None:
    assert not is_compressed(name)


@pytest.mark.parametrize(
    ("glob", "name"),
    [
        ("a+b(c)|^$", "a+b(c)|^$"),
        ("[]]x", "]x"),
        ("[", "["),
        ("a{b", "a{b"),
        ("\\*", "*"),
        ("[a\\]b]", "ab]"),
        ("a,b}", "a,b}"),
    ],
)
def test_everything_else_in_a_glob_is_itself(glob: str, name: str) -> None:
    assert translate(glob).match(name)


@pytest.mark.parametrize(
    ("pattern", "path", "is_covered"),
    [
        ("/log/*.log", "/log/a.log", True),
        ("/log/*.log", "/log/sub/a.log", False),
        ("/log/*.log", "/elsewhere/a.log", False),
        ("/log/*.log", "/log/a.log.gz", False),
        ("/log/**/*.log", "/log/a.log", True),
        ("/log/**/*.log", "/log/not/there/yet/a.log", True),
        ("/log/**/*.log", "/log/.hidden/a.log", False),
        ("/log/**/x/**/*.log", "/log/a/x/b/c/a.log", True),
        ("/log/**/x/**/*.log", "/log/a/b/a.log", False),
        ("/log/{a,b}*/?/*.log", "/log/app/1/a.log", True),
        ("/log/{a,b}*/?/*.log", "/log/app/11/a.log", False),
    ],
)
def test_paths_that_a_pattern_covers_need_not_be_there(pattern: str, path: str, is_covered: bool) -> None:
    assert FilePattern(pattern).covers(path) is is_covered
