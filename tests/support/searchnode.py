"""A real node of OpenSearch in a process of its own. Its jars (45 MB) come through Maven, by opensearch/pom.xml."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from support.ports import free_port
from support.waiting import wait_for

if TYPE_CHECKING:
    from support.sharing import Keeper

_POM = Path(__file__).with_name("opensearch") / "pom.xml"
_JARS = Path(__file__).parents[2] / "build" / "opensearch"
_PORTS = range(9202, 9292)  # the main class takes no others
_SETTINGS = """
discovery.type: single-node
network.host: 127.0.0.1
transport.port: 0
cluster.routing.allocation.disk.threshold_enabled: false
"""
_JAVA = ("java", "-Xms64m", "-Xmx320m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.disable.jmx=true")


def _jars() -> Path:
    """The directory with the jars, which are fetched if they are not there."""
    directory = _JARS / hashlib.sha256(_POM.read_bytes()).hexdigest()[:16]
    _JARS.mkdir(parents=True, exist_ok=True)
    with (_JARS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes may want them at once
        if not directory.exists():
            with tempfile.TemporaryDirectory(dir=_JARS) as fetched:
                command = ["mvn", "-B", "-q", "-C", "-f", str(_POM), "dependency:copy-dependencies"]
                subprocess.run([*command, f"-DoutputDirectory={fetched}/jars"], check=True, timeout=220)
                (Path(fetched) / "jars").rename(directory)
    return directory


class SearchNode(NamedTuple):
    """A running node."""

    url: str

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Call the node's own API."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data=data, method=method, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def documents(self, index: str) -> dict[str, Any]:
        """All documents of an index (at most 10,000) by id."""
        self.call("POST", f"/{index}/_refresh")
        found = self.call("POST", f"/{index}/_search", {"size": 10_000})
        return {hit["_id"]: hit["_source"] for hit in found["hits"]["hits"]}


def start_node(keeper: Keeper) -> str:
    """Start a node with no data; its URL."""
    for tool in ("java", "mvn"):
        assert shutil.which(tool), f"{tool} is needed for the node of OpenSearch: .ci/run installs it"
    config = keeper.directory / "config"
    config.mkdir()
    (config / "opensearch.yml").write_text(_SETTINGS)
    port = free_port(_PORTS)
    ended = keeper.run(
        [
            *(*_JAVA, "-cp", f"{_jars()}/*", "org.codelibs.opensearch.runner.OpenSearchRunner"),
            *("-numOfNode", "1", "-basePath", str(keeper.directory), "-confPath", str(config)),
            *("-baseHttpPort", str(port - 1), "-disableESLogger"),
            *("-moduleTypes", "org.opensearch.transport.Netty4Plugin"),
        ],
        TMPDIR=str(keeper.directory),
    )
    node = SearchNode(f"http://127.0.0.1:{port}")
    wait_for(lambda: ended() or _ready(node), "OpenSearch", timeout_s=120, interval_s=0.1)
    return node.url


def _ready(node: SearchNode) -> bool:
    try:
        return bool(node.call("GET", "/_cluster/health")["status"] == "green")
    except (urllib.error.URLError, ConnectionError):
        return False
