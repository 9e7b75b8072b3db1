"""agent.json and agent.d to an AgentConfig: everything that is wrong is said at once, each with its file and key.

A file `agent.d/NAME` beside agent.json adds flows. Unknown keys are warnings, as nobody's configuration should stop
working here; values that cannot be are refused. Source: Firehose and Data Streams developer guides, "Agent
configuration settings".
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from millstream.agent.config import CHECKPOINT_FILE, AgentConfig, FlowConfig
from millstream.agent.configflow import read_flow
from millstream.agent.configkeys import GLOBAL, GROUPS, is_comment
from millstream.agent.configsettings import Findings, read_settings
from millstream.agent.configtext import flatten, read_document
from millstream.agent.configvalues import shown
from millstream.agent.tail.pattern import FilePattern
from millstream.client.errors import ConfigurationError

_NOT_CONFIGURATION = (".bak", ".dpkg-dist", ".dpkg-old", ".orig", ".rpmnew", ".rpmorig", ".rpmsave", ".swp", "~")
_BESIDE = ("", ".1", ".lock", "-wal", ".status.json")  # what the agent's files have beside them
_EMPTIED = ("/run/", "/var/run/", "/dev/shm/")  # noqa: S108 - places to warn of


class Loaded(NamedTuple):
    """A configuration that can be used, and what there is to say of it."""

    config: AgentConfig
    warnings: list[str]


class ConfigProblems(ConfigurationError):
    """What is wrong with a configuration: all of it, a line each."""

    def __init__(self, path: Path, problems: list[str], warnings: list[str]) -> None:
        listed = "".join(f"\n  {problem}" for problem in problems)
        super().__init__(f"{path} cannot be used:{listed}")
        self.problems = problems
        self.warnings = warnings


def load_config(path: Path) -> Loaded:
    """What `path` and the files of agent.d beside it say. Raises ConfigProblems, with all of them."""
    findings = Findings()
    document = _document(path, findings)
    settings = read_settings(document, GLOBAL, "", findings)
    flows = list(_flows(document, "flows", findings))
    for extra in _extra_files(path, findings):
        flows += _flows_of_extra(extra, findings.at(f"{extra.parent.name}/{extra.name}: "))
    flows = _without_twins(flows, findings)
    if not flows and not findings.problems:
        findings.refuse("flows", 'is missing: say what goes where, as in {"flows": [{"filePattern": …}]}')
    _check_together(settings, path, findings)
    settings.setdefault("checkpoint_file", default_checkpoint_file())
    config = AgentConfig(flows=tuple(flow for _, flow in flows), **settings)
    _check_loops(config, [place for place, _ in flows], findings)
    if findings.problems:
        raise ConfigProblems(path, findings.problems, findings.warnings)
    return Loaded(config, findings.warnings)


def default_checkpoint_file() -> str:
    """Where checkpoints are unless somebody says: the machine's place for it, else the user's own."""
    directory = Path(CHECKPOINT_FILE).parent
    there = next(parent for parent in (directory, *directory.parents) if parent.exists())
    if os.access(there, os.W_OK | os.X_OK):
        return CHECKPOINT_FILE
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return str(Path(state) / directory.name / Path(CHECKPOINT_FILE).name)


def _document(path: Path, findings: Findings) -> dict[str, Any]:
    try:
        return flatten(read_document(path, lambda warning: findings.warn("", warning)), GROUPS)
    except ConfigurationError as error:
        findings.problems.append(str(error))
        return {}


def _flows(document: Mapping[str, Any], key: str, findings: Findings) -> Iterator[tuple[str, FlowConfig]]:
    flows = document.get(key)
    if flows is None:
        return
    if not isinstance(flows, list):
        findings.refuse(key, f"{shown(flows)} must be a list of flows")
        return
    for i, flow in enumerate(flows):
        place = f"{key}[{i}]"
        found = read_flow(flow, place, findings)
        if found is not None:
            yield findings.prefix + place, found


def _extra_files(path: Path, findings: Findings) -> list[Path]:
    directory = path.parent / "agent.d"
    if not directory.is_dir():
        return []
    try:
        files = sorted(file for file in directory.iterdir() if file.is_file())
    except OSError as error:
        findings.refuse("", f"{directory} cannot be read: {error.strerror}")
        return []
    left_out = [file for file in files if file.name.startswith(".") or file.name.endswith(_NOT_CONFIGURATION)]
    for file in left_out:
        findings.warn("", f"{directory.name}/{file.name} is left out: its name is that of a copy")
    return [file for file in files if file not in left_out]


def _flows_of_extra(file: Path, findings: Findings) -> list[tuple[str, FlowConfig]]:
    document = _document(file, findings)
    others = sorted(name for name in document if name != "flows" and not is_comment(name))
    if others:
        findings.warn(", ".join(others), "ignored: files of agent.d add flows, and nothing else")
    return list(_flows(document, "flows", findings))


def _without_twins(flows: list[tuple[str, FlowConfig]], findings: Findings) -> list[tuple[str, FlowConfig]]:
    seen: dict[str, str] = {}
    for place, flow in flows:
        first = seen.setdefault(flow.flow_id, place)
        if first != place:
            findings.refuse(place, f"sends {flow.file_pattern} to {flow.destination}, as {first} does already")
    return flows


def _check_together(settings: Mapping[str, Any], path: Path, findings: Findings) -> None:
    """What values say only in each other's company."""
    if ("aws_access_key_id" in settings) != ("aws_secret_access_key" in settings):
        findings.refuse("awsAccessKeyId, awsSecretAccessKey", "one is there, the other is missing")
    if "assume_role_external_id" in settings and "assume_role_arn" not in settings:
        findings.warn("assumeRoleExternalId", "means nothing without assumeRoleARN")
    checkpoints = str(settings.get("checkpoint_file", ""))
    if checkpoints.startswith(_EMPTIED):
        findings.warn("checkpointFile", f"{checkpoints} is lost when the machine restarts: better {CHECKPOINT_FILE}")
    if "aws_secret_access_key" in settings and path.stat().st_mode & stat.S_IROTH:
        findings.warn("awsSecretAccessKey", f"can be read by everybody on this machine: chmod o-r {path}")


def _check_loops(config: AgentConfig, places: list[str], findings: Findings) -> None:
    """A flow must not follow what the agent itself writes: it would never come to an end."""
    written = {"log.file": config.log_file, "checkpointFile": config.checkpoint_file}
    written |= {f"{place}.rejectsFile": flow.rejects_file for place, flow in zip(places, config.flows, strict=True)}
    for place, flow in zip(places, config.flows, strict=True):
        for key, file in _followed(FilePattern(flow.file_pattern), written):
            findings.refuse(f"{place}.filePattern", f"matches {file}, which the agent itself writes ({key})")


def _followed(pattern: FilePattern, written: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
    for key, file in written.items():
        if file and any(_finds(pattern, file + suffix) for suffix in _BESIDE):
            yield key, file


def _finds(pattern: FilePattern, file: str) -> bool:
    parent, name = os.path.split(file)
    if pattern.covers(file) or not pattern.names(name):
        return pattern.covers(file)
    # By way of symbolic links, perhaps. That may be a walk over the disk: only where the name fits.
    return os.path.realpath(parent) in map(os.path.realpath, pattern.directories())


def with_endpoint(config: AgentConfig, endpoint: str) -> AgentConfig:
    """The configuration with all calls going to `endpoint`, whatever it says, and no role assumed elsewhere."""
    return msgspec.structs.replace(
        config, kinesis_endpoint=endpoint, firehose_endpoint=endpoint, cloudwatch_endpoint=endpoint, sts_endpoint=None
    )
