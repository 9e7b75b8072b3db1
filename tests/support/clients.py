"""boto3 clients that send anything, valid or not."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config

_session: Any = boto3.Session()  # its stubs know the services by name


def client(service: str, url: str, account: str, region: str, *, verify: Any = None, **config: Any) -> Any:
    """A client that does not check what it sends, and never retries; its access key id is the account."""
    settings: dict[str, Any] = {
        "parameter_validation": False,
        "retries": {"total_max_attempts": 1, "mode": "standard"},
        "read_timeout": 30,
        "connect_timeout": 5,
        **config,
    }
    return _session.client(
        service,
        endpoint_url=url,
        region_name=region,
        aws_access_key_id=account,
        aws_secret_access_key="secret",
        verify=verify,
        config=Config(**settings),
    )
