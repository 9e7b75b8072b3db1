"""What a destination's configuration must keep, beyond what the service model says of its members.

Checked is the whole configuration with its defaults filled in, when a delivery stream is made and after every update,
so that nothing wrong can come about by updates either. Every check raises InvalidArgumentException, in AWS's words
where they are known.
"""

# ruff: noqa: PLC0415 - whoever only has data streams shall not wait at each start for what delivery streams need

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from millstream.firehose.kinds import SEARCH

Description = dict[str, Any]
Check = Callable[[Description, bool], None]


def check_destination(
    kind: str, configuration: Description, *, limits_aws: bool, warehouse_paths: bool = False
) -> None:
    """Raises InvalidArgumentException unless a destination can be as `configuration`, which has its secrets, says.

    `limits_aws` False lifts the least buffers that AWS sets for conversion, partitioning and backups.
    `warehouse_paths` True lets warehouse files be anywhere.
    """
    _check_of(kind, warehouse_paths)(configuration, limits_aws)


def _check_of(kind: str, warehouse_paths: bool) -> Check:
    if kind == "ExtendedS3":
        from millstream.firehose.checks.s3 import check_extended_s3

        return check_extended_s3
    if kind == "Redshift":
        from millstream.firehose.checks.redshift import check_redshift

        return partial(check_redshift, warehouse_paths=warehouse_paths)
    if kind in SEARCH:
        from millstream.firehose.checks.search import check_search

        return check_search
    if kind == "Iceberg":
        from millstream.firehose.checks.iceberg import check_iceberg

        return check_iceberg
    from millstream.firehose.checks import endpoints

    return endpoints.check_splunk if kind == "Splunk" else endpoints.check_http_endpoint


__all__ = ["check_destination"]
