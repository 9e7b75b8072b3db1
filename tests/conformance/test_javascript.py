"""The AWS SDK for JavaScript v3, unmodified: HTTP/2 with prior knowledge on plain http, SubscribeToShard included."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.kinesis import new_name

if TYPE_CHECKING:
    from support.server import Server

HERE = Path(__file__).parent / "js"


# programs of the test environment (requirements/dev.in has Node.js) go before those of the system
SEARCH_PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
ENVIRONMENT = {**os.environ, "PATH": SEARCH_PATH}  # npm looks for node there


@pytest.fixture(scope="module")
def node() -> str:
    """Path of node, with the pinned SDK installed beside the script."""
    programs = {name: shutil.which(name, path=SEARCH_PATH) for name in ("node", "npm")}
    missing = [name for name, path in programs.items() if path is None]
    if missing:
        pytest.fail(f"the JavaScript SDK's tests need {' and '.join(missing)}: install requirements/dev.txt")
    if not (HERE / "node_modules" / "@aws-sdk" / "client-kinesis").exists():
        install = [str(programs["npm"]), "ci", "--no-audit", "--no-fund"]
        subprocess.run(install, cwd=HERE, env=ENVIRONMENT, check=True, timeout=180)
    return str(programs["node"])


def test_a_client_from_create_to_subscribe(node: str, server: Server, account: str) -> None:
    before = datetime.now(UTC)
    done = subprocess.run(
        [node, "kinesis.mjs", server.url, account, new_name("js")],
        cwd=HERE,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["handler"] == "NodeHttp2Handler"
    assert seen["failed"] == 0
    assert seen["requestId"]
    assert seen["read"] == ["one", "two", "three"]
    assert seen["readByTime"] == 3
    assert seen["pushed"] == ["one", "two", "three", "four"]
    assert seen["children"] == ["shardId-000000000001", "shardId-000000000002"]
    assert seen["error"] == {
        "name": "ResourceNotFoundException",
        "message": f"Stream nowhere under account {account} not found.",
    }
    for moment in (seen["created"], seen["arrival"]):
        assert abs(datetime.fromisoformat(moment) - before) < timedelta(minutes=1)
