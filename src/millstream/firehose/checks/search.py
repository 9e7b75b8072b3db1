"""Checks of search destinations: Elasticsearch, OpenSearch, OpenSearch Serverless.

Source: API reference of the three; rules of index names from the documentation of OpenSearch and Elasticsearch.
"""

from __future__ import annotations

import re
from typing import Any

from millstream.firehose.checks.endpoints import check_common
from millstream.firehose.checks.urls import check_url
from millstream.firehose.kinds import SEARCH_PLACES
from millstream.wire.faults import InvalidArgumentException

Description = dict[str, Any]

_INDEX = re.compile(r'(?!\.{1,2}$)[^-_+A-Z\\/*?"<>|\s,#:][^A-Z\\/*?"<>|\s,#:]*')


def check_search(configuration: Description, _limits_aws: bool) -> None:
    """Check a whole search destination."""
    places = [name for name in SEARCH_PLACES if configuration.get(name)]
    if len(places) != 1:
        raise InvalidArgumentException(
            "Exactly one of ClusterEndpoint and DomainARN must be specified for a search destination, or "
            "CollectionEndpoint for OpenSearch Serverless."
        )
    if places[0] != "DomainARN":
        check_url(configuration[places[0]], places[0])
    if not _INDEX.fullmatch(configuration["IndexName"]):
        raise InvalidArgumentException(
            f"IndexName {configuration['IndexName']} is not valid: it must be in lower case, must not begin with -, _ "
            'or +, and must not have spaces or any of \\ / * ? " < > | , # : in it.'
        )
    check_common(configuration, "the search destination")
