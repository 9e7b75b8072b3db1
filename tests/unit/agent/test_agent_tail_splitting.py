"""Where records begin and end: lines, multi-line records, footers, records too long."""

from __future__ import annotations

import random

import pytest

from millstream.agent.config import FlowConfig
from millstream.agent.tail.splitting import Split, Splitter


def splitter(limit: int = 1000, **options: object) -> Splitter:
    flow = FlowConfig(file_pattern="/a", kinesis_stream="s", **options)  # type: ignore[arg-type]
    return Splitter(flow, record_bytes_max=limit)


def test_lines_keep_their_ends_whatever_their_bytes() -> None:
    split = splitter().split(b"a\r\n\xff\xfe\x00\n\nb\rc\x0b\x85\nrest", 100, final=False)
    assert split.records == [b"a\r\n", b"\xff\xfe\x00\n", b"\n", b"b\rc\x0b\x85\n"]
    assert split.ends == [103, 107, 108, 114]
    assert split.end == 114


def test_the_last_line_is_taken_as_it_is_only_when_nothing_will_follow() -> None:
    assert splitter().split(b"rest", 5, final=False) == Split([], [], 5)
    assert splitter().split(b"rest", 5, final=True) == Split([b"rest"], [9], 9)
    assert splitter().split(b"", 5, final=True) == Split([], [], 5)


def test_a_multi_line_record_goes_up_to_the_next_start() -> None:
    java = splitter(multi_line_start_pattern=r"\d{4}-")
    text = b"  at before\n2024-01 x\n  at a\n  at b\n2024-02 y\n  at c\n"
    split = java.split(text, 0, final=False)
    assert split.records == [b"  at before\n", b"2024-01 x\n  at a\n  at b\n"]
    assert split.end == split.ends[-1] == text.index(b"2024-02")
    assert java.split(text, 0, final=True).records[-1] == b"2024-02 y\n  at c\n"


def test_patterns_are_javas() -> None:
    split = splitter(multi_line_start_pattern=r"\p{Upper}\Q.\E").split(b"A. x\nAx\nB. y\n", 0, final=True)
    assert split.records == [b"A. x\nAx\n", b"B. y\n"]


def test_a_pattern_sees_lines_without_their_ends() -> None:
    split = splitter(multi_line_start_pattern=r"BEGIN$").split(b"BEGIN\r\na\r\nBEGIN\r\nBEGINX\r\n", 0, final=True)
    assert split.records == [b"BEGIN\r\na\r\n", b"BEGIN\r\nBEGINX\r\n"]


def test_footers_are_no_records_and_count_to_the_one_beside_them() -> None:
    split = splitter(file_footer_pattern="END").split(b"a\nEND\nb\nEND OF FILE\n", 0, final=False)
    assert split == Split([b"a\n", b"b\n"], [2, 20], 20)
    assert splitter(file_footer_pattern="END").split(b"END\n", 7, final=False) == Split([], [], 11)


def test_a_footer_ends_a_multi_line_record() -> None:
    both = splitter(multi_line_start_pattern="S", file_footer_pattern="END")
    assert both.split(b"S1\n x\nEND\n", 0, final=False) == Split([b"S1\n x\n"], [10], 10)
    assert both.split(b"S1\n x\nEND\n tail\nS2\n", 0, final=False).records == [b"S1\n x\n", b" tail\n"]


def test_long_records_are_cut_with_the_terminator_and_counted() -> None:
    split = splitter(10).split(b"0123456789abc\nshort\n", 0, final=False)
    assert split == Split([b"012345678\n", b"short\n"], [14, 20], 20, records_cut=1, bytes_cut=4)
    assert splitter(10, truncated_record_terminator="..\n").cut(b"0123456789abc\n") == b"0123456..\n"


def test_a_cut_keeps_characters_of_utf8_whole() -> None:
    text = "aaaaaaaä€😀\n".encode()
    for limit in range(9, len(text)):
        splitter(limit).cut(text)[:-1].decode()
    assert splitter(4).piece(b"\x80" * 8) == b"\x80" * 4


def test_long_records_are_split_without_losing_a_byte() -> None:
    split = splitter(10, long_records="split").split(b"0123456789abcdefghijklm\nshort\n", 50, final=False)
    assert split.records == [b"0123456789", b"abcdefghij", b"klm\n", b"short\n"]
    assert split.ends == [60, 70, 74, 80]
    assert not split.records_cut


@pytest.mark.parametrize("destination", ["kinesis_stream", "delivery_stream"])
def test_the_limit_is_what_the_destination_takes_or_the_buffer_if_that_is_smaller(destination: str) -> None:
    flow = FlowConfig(file_pattern="/a", **{destination: "s"})  # type: ignore[arg-type]
    assert 1_000_000 < Splitter(flow).limit <= 1024 * 1024
    small = FlowConfig(file_pattern="/a", max_buffer_size_bytes=5000, **{destination: "s"})  # type: ignore[arg-type]
    assert Splitter(small).limit == 5000


@pytest.mark.parametrize("start", [None, "[ab]"])
@pytest.mark.parametrize("footer", [None, "c"])
@pytest.mark.parametrize("long_records", ["split", "truncate"])
def test_blocks_of_any_size_give_the_same_records(start: str | None, footer: str | None, long_records: str) -> None:
    chance = random.Random(7)
    text = b"".join(
        bytes(chance.choices(b"abcd\r \xe2", k=chance.randrange(12))) + chance.choice([b"\n", b"\r\n"])
        for _ in range(200)
    )
    one = splitter(10_000, multi_line_start_pattern=start, file_footer_pattern=footer, long_records=long_records)
    whole = one.split(text, 0, final=True)
    records: list[bytes] = []
    ends: list[int] = []
    at, size = 0, 64
    while at < len(text):
        split = one.split(text[at : at + size], at, final=at + size >= len(text))
        records += split.records
        ends += split.ends
        size = 64 if split.end > at else size * 2
        at = split.end
    assert records == whole.records
    assert ends[-1] == len(text)
    if footer is None:
        assert b"".join(records) == text
        assert ends == whole.ends
