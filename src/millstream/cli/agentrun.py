"""`millstream agent`: finds the configuration, sets up the log, and runs the agent."""

from __future__ import annotations

import logging
from pathlib import Path

from millstream.agent.configfile import load_config, with_endpoint
from millstream.agent.logsetup import set_up_logging
from millstream.cli.errors import CommandError

DEFAULT_CONFIGS = (Path("/etc/aws-kinesis/agent.json"), Path("agent.json"))


def run_agent_command(
    config: Path | None, *, once: bool, metrics: tuple[str, int] | None, state: Path | None, endpoint: str | None
) -> int:
    """Run until stopped; the exit code. Raises MillstreamErrors that say why it cannot."""
    path = find_config(config)
    loaded = load_config(path)
    agent = loaded.config if endpoint is None else with_endpoint(loaded.config, endpoint)
    set_up_logging(agent)
    log = logging.getLogger("millstream.agent")
    for warning in loaded.warnings:
        log.warning("%s: %s", path.name, warning)

    from millstream.agent.run import run_agent  # noqa: PLC0415 - a wrong configuration is told of sooner without it

    return run_agent(agent, once=once, metrics=metrics, state_dir=state)


def find_config(path: Path | None) -> Path:
    """The configuration file that is named, or the first that is where one is looked for. Raises CommandError."""
    if path is not None:
        return path
    for default in DEFAULT_CONFIGS:
        if default.exists():
            return default
    places = " nor ".join(str(default) for default in DEFAULT_CONFIGS)
    raise CommandError(f"there is neither {places}: name a configuration with --config FILE")
