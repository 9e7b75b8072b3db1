"""Running a MetadataExtractionQuery with jq, in this process (see `jqprocess`)."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

import jq

# The query runs as a part of this. Partition keys must come out the same whenever a record is processed, and must not
# tell of the process: so `now` is when the record arrived, the environment is empty, there is no other input, and the
# parentheses keep modules out.
_PROGRAM = """
def env: {{}}; def input: error("input cannot be used here"); def inputs: input; def debug: .; def debug(f): .;
def stderr: .; def input_filename: null; def input_line_number: 0; def get_search_list: [];
def modulemeta: error("modules cannot be used here");
def halt: error("halt cannot be used here"); def halt_error: halt; def halt_error(f): halt;
if type != "array" or length != 2 then error("Non JSON record provided") else . end
| {{}} as $ENV | .[0] as $now | def now: $now; .[1] | (
{query}
)
"""

_MULTIPLIED_STRING = re.compile(r'"\s*\)*\s*\*|\*\s*\(*\s*"')
"""What jq would compute while it compiles, however long the string becomes."""
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


class QueryError(Exception):
    """The query, or the record that it was to run on, is wrong."""


class JqQuery:
    """A compiled query. Raises QueryError for one that jq does not take."""

    def __init__(self, query: str) -> None:
        try:
            self._program = jq.compile(_PROGRAM.format(query=query))
        except ValueError as error:
            raise QueryError(str(error)) from error

    def run(self, record: bytes, now_s: float) -> dict[str, Any]:
        """The one object that the query makes of a record. Raises QueryError.

        Numbers in it are doubles; whole ones may come as int.
        """
        text = f"[{now_s},{record.decode('utf-8', 'replace')}\n]"
        try:
            results = list(islice(self._program.input_text(text), 2))
        except ValueError as error:
            message = str(error)
            raise QueryError("Non JSON record provided" if message.startswith("parse error") else message) from error
        if len(results) != 1 or not isinstance(results[0], dict):
            raise QueryError("the query must make one JSON object of a record")
        return results[0]


def query_problem(query: str) -> str | None:
    """What is wrong with a MetadataExtractionQuery; None if nothing is. For checks when it is configured."""
    # where there are programs in strings, the quotes do not tell what is a string: better refuse one too many
    text = query if "\\(" in query else _STRING.sub('""', query)
    if _MULTIPLIED_STRING.search(text):
        return "a string cannot be multiplied here"
    try:
        jq.compile(query)  # alone: `1) | (2` is none, but fits between the parentheses; and lines are counted from here
        JqQuery(query)
    except (QueryError, ValueError) as error:
        return str(error)
    return None
