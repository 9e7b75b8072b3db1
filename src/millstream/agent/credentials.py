"""In whose name the agent calls: keys in agent.json, and a role that is assumed with them or with what is found.

Keys of the configuration come before all that the environment has, as with the Java agent.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from millstream.agent.config import AgentConfig
from millstream.client.errors import CallError, ConfigurationError, Unreachable
from millstream.client.target import GetCredentials
from millstream.wire.sigv4 import Credentials

_SESSION_NAME = "millstream-agent"


def credentials_of(config: AgentConfig, region: str | None, *, is_aws: bool) -> Credentials | GetCredentials | None:
    """What the configuration says, or None: then the environment has to say.

    The role is assumed for AWS's endpoints, and elsewhere only if `sts.endpoint` says where: a platform of one's own
    has no roles otherwise.
    """
    if config.assume_role_arn and (is_aws or config.sts_endpoint):
        return AssumedRole(config, region)
    return _keys_of(config)


class AssumedRole:
    """Credentials of the configured role, renewed before they expire. Calls block while they are fetched."""

    def __init__(self, config: AgentConfig, region: str | None) -> None:
        self._config = config
        self._region = config.kinesis_region or region
        self._found: Any = None

    def __call__(self) -> Credentials:
        """Raises ConfigurationError, CallError, Unreachable."""
        from botocore import exceptions  # noqa: PLC0415 - slow to load, and seldom needed

        try:
            if self._found is None:
                self._found = self._assume()
            frozen = self._found.get_frozen_credentials()
        except exceptions.ClientError as error:
            raise _refusal(error.response) from error
        except (exceptions.ConnectionError, exceptions.HTTPClientError) as error:
            raise Unreachable(f"AssumeRole {self._config.assume_role_arn}: {error}") from error
        except exceptions.BotoCoreError as error:
            raise ConfigurationError(f"the role {self._config.assume_role_arn} cannot be assumed: {error}") from error
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)

    def _assume(self) -> Any:
        from botocore.config import Config  # noqa: PLC0415
        from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials  # noqa: PLC0415
        from botocore.session import Session  # noqa: PLC0415

        config, session = self._config, Session()
        if (keys := _keys_of(config)) is not None:
            session.set_credentials(keys.access_key_id, keys.secret_access_key)
        source = session.get_credentials()
        if source is None:
            raise ConfigurationError(
                f"no credentials to assume {config.assume_role_arn} with: set awsAccessKeyId and awsSecretAccessKey"
            )
        fetcher = AssumeRoleCredentialFetcher(
            partial(
                session.create_client,
                region_name=self._region,
                endpoint_url=_url(config.sts_endpoint),
                config=Config(
                    connect_timeout=5, read_timeout=20, retries={"max_attempts": 0}
                ),  # whoever calls tries again
            ),
            source,
            config.assume_role_arn or "",
            extra_args=_arguments(config),
        )
        return DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")


def _keys_of(config: AgentConfig) -> Credentials | None:
    if config.aws_access_key_id and config.aws_secret_access_key:
        return Credentials(config.aws_access_key_id, config.aws_secret_access_key)
    return None


def _arguments(config: AgentConfig) -> dict[str, str]:
    arguments = {"RoleSessionName": _SESSION_NAME}
    if config.assume_role_external_id:
        arguments["ExternalId"] = config.assume_role_external_id
    return arguments


def _url(endpoint: str | None) -> str | None:
    return f"https://{endpoint}" if endpoint and "://" not in endpoint else endpoint


def _refusal(response: Any) -> CallError:
    error, metadata = response.get("Error", {}), response.get("ResponseMetadata", {})
    return CallError("AssumeRole", error.get("Code", ""), error.get("Message", ""), metadata.get("HTTPStatusCode", 400))
