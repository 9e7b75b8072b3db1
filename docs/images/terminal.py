"""Draws docs/images/terminal.svg from a real run of the demo: `.venv/bin/python docs/images/terminal.py`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

HERE = Path(__file__).parent
MILLSTREAM = str(Path(sys.executable).parent / "millstream")
PORT = "4590"
STREAM = "kinesis-analytics-demo-stream"
COLUMNS = 140
COMMANDS = (
    ["streams"],
    ["tail", STREAM, "--raw", "--limit", "3"],
    ["app", "tail", "demo-prices", "--count", "3"],
    ["app", "list"],
    ["deliver", "list"],
)


def main() -> None:
    """Start the demo, run the README's first commands, draw what they print."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {"MILLSTREAM_ENDPOINT": f"http://127.0.0.1:{PORT}", "FORCE_COLOR": "1", "COLUMNS": str(COLUMNS)}
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"))  # noqa: SIM115
    with tempfile.TemporaryDirectory() as directory:
        up = [MILLSTREAM, "up", "--demo", "--port", PORT, "--data-dir", directory]
        server = subprocess.Popen(up, stdout=subprocess.DEVNULL)
        try:
            while not list(Path(directory).glob("objects/*/ticks/*/*.parquet")):
                time.sleep(1)  # half a minute: the demo's buffering interval
            for words in COMMANDS:
                done = subprocess.run([MILLSTREAM, *words], env=environment, capture_output=True, text=True, check=True)
                console.print(Text("$ millstream " + " ".join(words), style="bold green"))
                console.print(Text.from_ansi(done.stdout.rstrip()))
                console.print()
        finally:
            server.terminate()
            server.wait()
    svg = console.export_svg(title="Millstream")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # no third-party host: any monospace font will do
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    (HERE / "terminal.svg").write_text(svg)


if __name__ == "__main__":
    main()
