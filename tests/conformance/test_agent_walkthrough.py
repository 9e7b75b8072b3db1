"""The announced walkthrough: Tomcat access logs by LOGTOJSON into a delivery stream, a bucket and a table; then SQL.

The table is the announcement's, with the column `response`, which its text has and its SQL left out.
"""

from __future__ import annotations

import json
import random
import subprocess
from typing import TYPE_CHECKING, Any

import duckdb

from support.livedelivery import LiveDelivery
from support.server import COMMAND
from support.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from support.server import Server

COLUMNS = ("host", "ident", "authuser", "datetime", "request", "response", "bytes", "referer", "agent")
CREATE_TABLE = """
CREATE TABLE tomcat_access (
    host VARCHAR(40), ident VARCHAR(25), authuser VARCHAR(25), datetime VARCHAR(60), request VARCHAR(2048),
    response INTEGER, bytes INTEGER, referer VARCHAR(2048), agent VARCHAR(256))
"""
LINES = 400


def access_log() -> list[str]:
    generator = random.Random(27)
    agents = ["Mozilla/5.0 (X11; Linux x86_64)", "curl/8.5.0", 'with \\"quotes\\" in it', "-"]
    lines = []
    for number in range(LINES):
        status, size = generator.choice([(200, str(generator.randrange(90_000))), (304, "-"), (404, "1052")])
        user = generator.choice(["-", "tomcat", "alice"])
        lines.append(
            f"192.168.0.{number % 250} - {user} [28/Oct/2015:08:{number // 60 % 60:02d}:{number % 60:02d} +0000] "
            f'"GET /docs/page-{number}.html?q=\u00fc HTTP/1.1" {status} {size} "-" "{generator.choice(agents)}"'
        )
    return lines


def test_the_walkthrough(delivery_server: Server, environment: dict[str, str], tmp_path: Path) -> None:
    table = "walkthrough"
    with duckdb.connect(str(delivery_server.data_dir / f"{table}.duckdb")) as warehouse:
        warehouse.execute(CREATE_TABLE)
    delivery = LiveDelivery(delivery_server, name="tomcat-access").to(
        "Redshift",
        ClusterJDBCURL=f"duckdb:{table}",
        CopyCommand={"DataTableName": "tomcat_access", "CopyOptions": "json 'auto'"},
        Username="any",
        Password="correct horse",
        RetryOptions={"DurationInSeconds": 30},
    )
    logs = tmp_path / "tomcat" / "logs"
    logs.mkdir(parents=True)
    lines = access_log()
    (logs / "localhost_access_log.2015-10-27.txt").write_text("\n".join(lines[: LINES // 2]) + "\n")
    (logs / "localhost_access_log.2015-10-28.txt").write_text("\n".join([*lines[LINES // 2 :], "nonsense", ""]))
    config = tmp_path / "agent.json"
    config.write_text(json.dumps(configuration(delivery_server.url, logs, tmp_path, delivery.name)))

    subprocess.run(
        [str(COMMAND), "agent", "--config", str(config), "--once"],
        check=True,
        timeout=60,
        env=environment | {"AWS_ACCESS_KEY_ID": "000000000000"},
    )
    delivery.flush()

    kept = b"".join(delivery.objects().values()).decode().splitlines()
    assert len(kept) == LINES
    first = json.loads(kept[0])
    assert tuple(first) == COLUMNS
    assert first["ident"] is None
    assert first["request"].endswith("?q=\u00fc HTTP/1.1")
    rows = query(
        delivery_server, table, "SELECT response, count(*), sum(bytes) FROM tomcat_access GROUP BY 1 ORDER BY 1"
    )
    assert [row[0] for row in rows] == [200, 304, 404]
    assert sum(row[1] for row in rows) == LINES
    assert rows[1][2] is None
    assert rows[2][2] == 1052 * rows[2][1]
    assert (tmp_path / "rejects.log").read_text() == "nonsense\n"


def configuration(url: str, logs: Path, directory: Path, delivery_stream: str) -> dict[str, Any]:
    return {
        "cloudwatch.emitMetrics": False,
        "firehose.endpoint": url,
        "checkpointFile": str(directory / "checkpoints"),
        "flows": [
            {
                "filePattern": f"{logs}/localhost_access_log.*.txt",
                "deliveryStream": delivery_stream,
                "initialPosition": "START_OF_FILE",
                "rejectsFile": str(directory / "rejects.log"),
                "dataProcessingOptions": [{"optionName": "LOGTOJSON", "logFormat": "COMBINEDAPACHELOG"}],
            }
        ],
    }


def query(server: Server, name: str, statement: str) -> list[tuple[Any, ...]]:
    """What the warehouse answers, once no COPY has its file open."""

    def attempt() -> list[tuple[Any, ...]] | None:
        try:
            with duckdb.connect(str(server.data_dir / f"{name}.duckdb"), read_only=True) as warehouse:
                return warehouse.execute(statement).fetchall()
        except duckdb.IOException:
            return None

    return wait_for(attempt, "the warehouse's file to be free")
