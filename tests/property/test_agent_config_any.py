"""Whatever stands in agent.json, it is a configuration or it is refused with reasons; comments never matter."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from millstream.agent.config import AgentConfig
from millstream.agent.configfile import ConfigProblems, load_config
from millstream.agent.configkeys import FLOW, GLOBAL
from millstream.agent.configtext import without_comments

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
ODD = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
LIKELY = st.sampled_from(
    [
        "/var/log/*.log",
        "s",
        "RANDOM",
        "FILE",
        "split",
        "END_OF_FILE",
        "http://h:1",
        "DEBUG",
        "1",
        1,
        500,
        1000,
        True,
        "(?<a>x",
    ]
)
VALUES = LIKELY | ODD
OPTIONS = st.lists(
    st.dictionaries(
        st.sampled_from(["optionName", "logFormat", "customFieldNames", "delimiter", "x"]), VALUES, max_size=4
    )
    | ODD,
    max_size=2,
)


def keys(known: list[str]) -> st.SearchStrategy[str]:
    return st.sampled_from(known) | st.text(max_size=6)


FLOWS = st.lists(
    st.dictionaries(keys([*FLOW]), VALUES, max_size=6).flatmap(
        lambda flow: st.builds(lambda options: {**flow, "dataProcessingOptions": options}, OPTIONS) | st.just(flow)
    )
    | ODD,
    max_size=3,
)
DOCUMENTS = st.dictionaries(keys([*GLOBAL, "log", "cloudwatch", "kinesis"]), VALUES, max_size=6).flatmap(
    lambda document: st.builds(lambda flows: {**document, "flows": flows}, FLOWS | ODD)
)


def load(text: str) -> AgentConfig | list[str]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "agent.json"
        path.write_text(text, errors="surrogatepass")
        try:
            return load_config(path).config
        except ConfigProblems as error:
            return error.problems


@given(DOCUMENTS | ODD)
def test_any_document_is_taken_or_refused_with_reasons(document: Any) -> None:
    found = load(json.dumps(document))
    if isinstance(found, list):
        assert found
    else:
        assert found.flows
        assert all(bool(flow.delivery_stream) != bool(flow.kinesis_stream) for flow in found.flows)


@given(st.text(alphabet='{}[]":,/*\\# \na1', max_size=60))
def test_any_text_is_taken_or_refused_with_reasons(text: str) -> None:
    load(text)


@given(
    st.lists(st.sampled_from(["// x\n", "/* x */", "/*\n*/", " ", "/***/", '//"\n', '/*"*/']), max_size=4),
    st.text(max_size=20),
)
def test_comments_do_not_matter(comments: list[str], value: str) -> None:
    noise = "".join(comments)
    text = f"{noise}{{{noise}{json.dumps(value)}{noise}:{noise}[{noise}1{noise},{json.dumps(value)}]}}{noise}"
    stripped = without_comments(text)
    assert json.loads(stripped) == {value: [1, value]}
    assert len(stripped) == len(text)
    assert [i for i, character in enumerate(text) if character == "\n"] == [
        i for i, character in enumerate(stripped) if character == "\n"
    ]
