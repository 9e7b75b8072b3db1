"""Gets the peers, each at one pinned version, into a directory of its own, with the tool of its ecosystem."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import msgspec

INSTALL_SECONDS_MAX = 1800.0


class InstallError(Exception):
    """A peer could not be had; the message says why in a few words."""


class Recipe(Protocol):
    """How one package is installed, and where it then is."""

    @property
    def version(self) -> str: ...

    def installed(self) -> bool:
        """True when the pinned version is there, so that nothing needs doing."""
        ...

    def install(self) -> None:
        """Installs the pinned version. Raises InstallError when the tool is missing or fails."""
        ...


class _Package(msgspec.Struct, frozen=True):
    peers: Path
    name: str
    version: str

    @property
    def home(self) -> Path:
        return self.peers / f"{self.name}-{self.version}"


class NpmRecipe(_Package, frozen=True):
    """A package from npm; it runs on Node.js."""

    @property
    def package(self) -> Path:
        return self.home / "node_modules" / self.name

    def installed(self) -> bool:
        return (self.package / "package.json").is_file() and shutil.which("node") is not None

    def install(self) -> None:
        npm = _tool("npm")
        _tool("node")
        self.home.mkdir(parents=True, exist_ok=True)
        options = ["--prefix", str(self.home), "--no-audit", "--no-fund", "--loglevel", "error"]
        _run([npm, "install", *options, f"{self.name}@{self.version}"])


class PipRecipe(_Package, frozen=True):
    """A package from PyPI, in a virtual environment of its own."""

    extras: str = ""

    @property
    def commands(self) -> Path:
        return self.home / "bin"

    def installed(self) -> bool:
        return any(self.home.glob(f"lib/python3*/site-packages/{self.name}-{self.version}.dist-info"))

    def install(self) -> None:
        _run([sys.executable, "-m", "venv", "--clear", str(self.home)])
        wanted = f"{self.name}{self.extras}=={self.version}"
        _run([str(self.commands / "python"), "-m", "pip", "install", "--quiet", wanted])


class CargoRecipe(_Package, frozen=True):
    """A crate that cargo builds from source, which takes minutes."""

    @property
    def commands(self) -> Path:
        return self.home / "bin"

    def installed(self) -> bool:
        return (self.commands / self.name).is_file()

    def install(self) -> None:
        cargo = _tool("cargo")
        options = ["--quiet", "--locked", "--root", str(self.home)]
        _run([cargo, "install", *options, "--version", self.version, self.name])


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise InstallError(f"{name} is not installed here")
    return found


def _run(command: list[str]) -> None:
    name = Path(command[0]).name
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS_MAX)
    except subprocess.TimeoutExpired as error:
        raise InstallError(f"{name} took longer than {INSTALL_SECONDS_MAX / 60:.0f} minutes") from error
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise InstallError(f"{name} failed: {lines[-1][:200]}")
