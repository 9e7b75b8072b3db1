"""COPY commands as text: what Firehose runs, and what its console shows."""

from __future__ import annotations

import re

from millstream.firehose.configuration import CopyCommand

_STRINGS = re.compile(r"'[^']*'")
_SAYS_MANIFEST = re.compile(r"\bmanifest\b", re.IGNORECASE)


def copy_text(command: CopyCommand, source: str, credentials: str) -> str:
    """The COPY command as Firehose runs it, and as its console shows it.

    The console's has the placeholders `<manifest>` in the source and `<aws-account-id>`, `<role-name>` in credentials.
    """
    columns = f" ({command.columns})" if command.columns else ""
    words = [f"COPY {command.table}{columns} FROM {literal(source)} CREDENTIALS {literal(credentials)}"]
    options = command.options.strip().rstrip(";")
    words += [] if _SAYS_MANIFEST.search(_STRINGS.sub("", options)) else ["MANIFEST"]
    words += [options] if options else []
    return " ".join(words) + ";"


def console_text(command: CopyCommand, bucket: str, prefix: str = "") -> str:
    """The COPY command that the console shows for a delivery stream, to be tried by hand."""
    role = "aws_iam_role=arn:aws:iam::<aws-account-id>:role/<role-name>"
    return copy_text(command, f"s3://{bucket}/{prefix}<manifest>", role)


def literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
