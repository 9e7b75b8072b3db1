"""The statements that Amazon Redshift is sent, by a connection that only listens."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from millstream.firehose.configuration import CopyCommand
from millstream.firehose.ports import DeliveryError
from millstream.firehose.warehouse.copytext import console_text
from millstream.firehose.warehouse.port import Load, LoadResult
from millstream.firehose.warehouse.redshift import RedshiftWarehouse
from millstream.objects.local import LocalStores

ROLE = "arn:aws:iam::123456789012:role/firehose"
LOAD = Load("lake", "raw/2026/11/23/23/ticks-1", lambda: iter([b"{}"]))


class Listening:
    """A connection that keeps what it is told, and answers from a list."""

    def __init__(self, *answers: Any) -> None:
        self.statements: list[str] = []
        self._answers = list(answers)

    def __enter__(self) -> Listening:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def execute(self, statement: bytes) -> Listening:
        self.statements.append(" ".join(statement.decode().split()))
        self._answer = self._answers.pop(0)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self

    def fetchone(self) -> Any:
        return self._answer


def warehouse(connection: Listening, stores: LocalStores, command: CopyCommand) -> RedshiftWarehouse:
    def connect() -> Any:
        return connection

    return RedshiftWarehouse(connect, command, ROLE, stores)


def test_the_console_shows_a_command_to_try() -> None:
    command = CopyCommand("tweets", "id,screen_name, veggie", "delimiter ','")

    assert console_text(command, "aml.packt") == (
        "COPY tweets (id,screen_name, veggie) FROM 's3://aml.packt/<manifest>' CREDENTIALS "
        "'aws_iam_role=arn:aws:iam::<aws-account-id>:role/<role-name>' MANIFEST delimiter ',';"
    )
    assert console_text(CopyCommand("t"), "b", "p/").endswith("/<role-name>' MANIFEST;")
    assert console_text(CopyCommand("t", "", "csv manifest"), "b").endswith("/<role-name>' csv manifest;")


async def test_a_copy_reads_a_manifest_of_the_object(tmp_path: Path) -> None:
    stores, connection = LocalStores(tmp_path), Listening(None, None, (150,))
    copying = warehouse(connection, stores, CopyCommand("TrafficViolation", "", "json 'auto';"))

    assert await copying.copy(LOAD) == LoadResult(150)
    assert connection.statements[1:] == [
        (
            "COPY TrafficViolation FROM 's3://lake/manifests/raw/2026/11/23/23/ticks-1' "
            f"CREDENTIALS 'aws_iam_role={ROLE}' MANIFEST json 'auto';"
        ),
        "SELECT pg_last_copy_count()",
    ]
    manifest = await stores.bucket("lake").get("manifests/raw/2026/11/23/23/ticks-1")
    assert json.loads(manifest) == {"entries": [{"url": LOAD.url, "mandatory": True}]}


async def test_an_object_that_redshift_has_loaded_is_not_loaded_again(tmp_path: Path) -> None:
    connection = Listening((1,))

    assert (await warehouse(connection, LocalStores(tmp_path), CopyCommand("t")).copy(LOAD)).repeated
    assert f"trim(filename) = '{LOAD.url}'" in connection.statements[0]
    assert len(connection.statements) == 1


async def test_where_loads_cannot_be_looked_up_the_object_is_loaded(tmp_path: Path) -> None:
    connection = Listening(psycopg.errors.InsufficientPrivilege("permission denied"), None, (1,))

    assert await warehouse(connection, LocalStores(tmp_path), CopyCommand("t")).copy(LOAD) == LoadResult(1)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (psycopg.errors.UndefinedTable('relation "t" does not exist'), "Redshift.TableNotFound"),
        (psycopg.errors.UndefinedColumn('column "x" does not exist'), "Redshift.ColumnNotFound"),
        (psycopg.OperationalError("FATAL: password authentication failed"), "Redshift.AuthenticationFailed"),
        (psycopg.OperationalError("connection refused"), "Redshift.ConnectionFailed"),
        (
            psycopg.errors.InternalError_("Load into table 't' failed. Check 'stl_load_errors'"),
            "Redshift.DataLoadFailed",
        ),
        (psycopg.errors.InternalError_("S3ServiceException:Access Denied,Status 403"), "Redshift.S3BucketAccessDenied"),
        (psycopg.errors.InternalError_("User arn:x is not authorized to assume IAM Role"), "Redshift.AccessDenied"),
        (psycopg.errors.DiskFull("Disk Full"), "Redshift.DiskFull"),
        (psycopg.errors.SyntaxError("syntax error"), "Redshift.SyntaxError"),
        (psycopg.errors.InternalError_("odd"), "Redshift.InternalError"),
    ],
)
async def test_failures_are_told_in_awss_words(error: Exception, code: str, tmp_path: Path) -> None:
    with pytest.raises(DeliveryError) as caught:
        await warehouse(Listening(None, error), LocalStores(tmp_path), CopyCommand("t")).copy(LOAD)
    assert caught.value.code == code


def test_checks_of_a_configuration_load_no_driver() -> None:
    """The api process checks configurations: it must stay small."""
    script = (
        "import sys, millstream.firehose.warehouse\n"
        "print(sorted({'pyarrow', 'duckdb', 'psycopg', 'pyiceberg'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert ran.stdout == b"[]\n"
