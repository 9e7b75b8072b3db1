"""What is read quickly is read as thoroughly: two ways to the same fields, for lines of all kinds."""

from __future__ import annotations

import csv
import json

from hypothesis import given
from hypothesis import strategies as st

from millstream.agent.processors import apache, make_chain
from millstream.agent.processors.csvtojson import _fields_of_pieces, _literal_finder, fields_of
from millstream.agent.processors.logtojson import FORMATS

BITS = st.sampled_from(
    ['"', " ", "-", "[", "]", "\\", '\\"', "200", "1", "a", "é", "\n", "\t", "] ", " [", "²", '" "', ","]
)
WORD = st.text(st.sampled_from('ab-[]\\"é1 \t\x00'), max_size=4)
CLEAN = st.text(st.sampled_from("ab-1/.:[]"), min_size=1, max_size=6)


@st.composite
def access_lines(draw: st.DrawFn) -> str:
    """Lines of an access log: most of them good, some with something wrong put in somewhere."""
    word = draw(st.sampled_from([CLEAN, CLEAN, WORD]))
    host, ident, user, time, request, referer, agent = (draw(word) for _ in range(7))
    status = draw(st.sampled_from(["200", "404", "-", "20", "٢٠٠"]))
    size = draw(st.sampled_from(["1", "203023", "-", "", "x"]))
    line = f'{host} {ident} {user} [{time}] "{request}" {status} {size}'
    if draw(st.booleans()):
        line += f' "{referer}" "{agent}"'
    if draw(st.booleans()):
        at = draw(st.integers(0, len(line)))
        line = line[:at] + draw(BITS) + line[at:]
    return line


@given(st.one_of(access_lines(), st.lists(BITS, max_size=40).map("".join)))
def test_an_access_log_line_is_read_the_same_in_both_ways(line: str) -> None:
    for name in ("COMMONAPACHELOG", "COMBINEDAPACHELOG"):
        format_ = FORMATS[name]
        quick = format_.quickly(lambda *fields: fields)(line)
        if quick is not None:
            assert quick == tuple(format_.read(line) or [])


@given(st.lists(CLEAN.filter(lambda text: "]" not in text and "[" not in text), min_size=7, max_size=7))
def test_usual_lines_are_read_quickly(words: list[str]) -> None:
    host, ident, user, time, request, referer, agent = words
    line = f'{host} {ident} {user} [{time}] "{request}" 200 17 "{referer}" "{agent}"'
    expected = apache.dashes_to_none([host, ident, user, time, request, "200", "17", referer, agent])
    assert apache.quick_combined(lambda *fields: fields)(line) == tuple(expected)
    common = line[: line.index(" 200 17 ") + len(" 200 17")]
    assert apache.quick_common(lambda *fields: fields)(common) == tuple(expected[:7])


@given(st.text(st.sampled_from('",;ab \t'), max_size=30), st.integers(1, 6))
def test_fields_are_the_same_in_whichever_way_they_are_found(text: str, count: int) -> None:
    find = _literal_finder(",")
    assert _fields_of_pieces(text, ",", find, count) == fields_of(text, find, count)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1, max_size=5), st.booleans())
def test_what_a_csv_writer_writes_is_read(fields: list[str], is_tab: bool) -> None:
    delimiter = "\t" if is_tab else ","

    class Line(list[str]):
        write = list.append

    line = Line()
    csv.writer(line, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(fields)
    names = [f"f{number}" for number in range(len(fields))]
    option = {"optionName": "CSVTOJSON", "customFieldNames": names, "delimiter": delimiter}
    out = make_chain((option,), lambda record, reason: None).process([line[0].encode()])[0]
    assert out is not None
    assert list(json.loads(out).values()) == fields


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_bytes_of_any_kind_give_a_record_or_none(records: list[bytes]) -> None:
    rejected: list[bytes] = []
    for name in FORMATS:
        option = {"optionName": "LOGTOJSON", "logFormat": name}
        chain = make_chain((option, {"optionName": "SINGLELINE"}), lambda record, reason: rejected.append(record))
        out = chain.process(records)
        assert [record for record, made in zip(records, out, strict=True) if made is None] == rejected
        rejected.clear()
