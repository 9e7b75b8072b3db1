"""Where the agent calls: what agent.json says, else what the AWS environment says, else Millstream on this machine.

An endpoint in agent.json comes first, as with the Java agent; `millstream agent --endpoint` has replaced it by then.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from millstream.agent.config import AgentConfig, FlowConfig
from millstream.agent.credentials import credentials_of
from millstream.client.target import CLOUDWATCH, FIREHOSE, KINESIS, LOCAL_ENDPOINT, Api, Target, find_target
from millstream.wire.sigv4 import Credentials


def api_of(flow: FlowConfig) -> Api:
    """The API that the flow's destination belongs to."""
    return FIREHOSE if flow.delivery_stream else KINESIS


def flow_target(config: AgentConfig, flow: FlowConfig, environment: Mapping[str, str] | None = None) -> Target:
    """Where the flow's records are put. Raises ConfigurationError."""
    endpoint = config.firehose_endpoint if flow.delivery_stream else config.kinesis_endpoint
    return _target(api_of(flow), config, environment, endpoint=endpoint)


def cloudwatch_target(config: AgentConfig, environment: Mapping[str, str] | None = None) -> Target:
    """Where metrics are put: if nothing says, where the first flow's records go. Raises ConfigurationError."""
    environment = os.environ if environment is None else environment
    records = flow_target(config, config.flows[0], environment)
    endpoint = config.cloudwatch_endpoint or environment.get("AWS_ENDPOINT_URL_CLOUDWATCH") or None
    default = None if records.is_aws else records.endpoint
    return _target(
        CLOUDWATCH, config, environment, endpoint=endpoint, region=None if endpoint else records.region, default=default
    )


def _target(
    api: Api,
    config: AgentConfig,
    environment: Mapping[str, str] | None,
    *,
    endpoint: str | None,
    region: str | None = None,
    default: str | None = LOCAL_ENDPOINT,
) -> Target:
    found = find_target(api, endpoint=endpoint, region=region, environment=environment, default_endpoint=default)
    if config.kinesis_region and (api is KINESIS or not found.is_aws):  # others of AWS's endpoints name their region
        found = found._replace(region=config.kinesis_region)
    named = credentials_of(config, found.region, is_aws=found.is_aws)
    if named is None:
        return found
    return found._replace(credentials=(lambda: named) if isinstance(named, Credentials) else named)
