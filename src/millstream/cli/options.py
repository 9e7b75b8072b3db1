"""Options that many commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Endpoint = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Where the server is; else $AWS_ENDPOINT_URL_KINESIS (or _FIREHOSE, _GLUE: the service's), "
        "$AWS_ENDPOINT_URL, $MILLSTREAM_ENDPOINT, or http://127.0.0.1:4566.",
    ),
]
