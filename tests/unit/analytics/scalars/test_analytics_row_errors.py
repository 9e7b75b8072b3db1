"""Rows that fail: which ones, why, and that nothing else does."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import polars as pl
import pytest

from millstream.analytics.scalars.compile import Evaluator, Moment, RowErrors
from millstream.analytics.scalars.fold import constant, is_constant
from millstream.analytics.scalars.mistakes import Mistake
from millstream.analytics.scalars.nodes import ColumnRef, Scalar
from millstream.analytics.scalars.printing import show
from millstream.analytics.scalars.signatures import cast
from millstream.analytics.scalars.types import (
    BIGINT,
    DOUBLE,
    INTEGER,
    TIMESTAMP,
    Kind,
    SqlType,
    decimal,
    integer_range,
    varchar,
)
from support.scalars import failure, fn, lit, outcome, value

A = ColumnRef("S.A", INTEGER)
B = ColumnRef("S.B", INTEGER)
TEXT = ColumnRef("S.TEXT", varchar(20))
FRAME = pl.DataFrame(
    {"S.A": [10, 10, None, 7], "S.B": [2, 0, 0, None], "S.TEXT": ["1", "x", None, "3"]},
    schema_overrides={"S.A": pl.Int32, "S.B": pl.Int32},
)


@pytest.mark.parametrize("kind", [Kind.TINYINT, Kind.SMALLINT, Kind.INTEGER, Kind.BIGINT])
def test_every_integer_type_ends_where_it_ends(kind: Kind) -> None:
    of = SqlType(kind)
    least, greatest = integer_range(kind)
    low, high, one, minus = (lit(number, of) for number in (least, greatest, 1, -1))
    assert value(fn("+", fn("-", high, one), one)) == greatest
    assert value(fn("-", fn("+", low, one), one)) == least
    assert value(fn("*", fn("/", low, one), one)) == least
    for name, first, second in (("+", high, one), ("-", low, one), ("*", low, minus), ("/", low, minus)):
        assert f"does not fit {kind}" in failure(fn(name, first, second))
    for name in ("NEG", "ABS"):
        assert f"does not fit {kind}" in failure(fn(name, fn("*", low, one)))


def test_decimals_end_at_eighteen_digits() -> None:
    big = lit(10**17, decimal(18, 0))
    assert value(fn("+", big, big)) == 2 * 10**17
    assert "does not fit DECIMAL(18, 0)" in failure(fn("*", big, 10))


def test_division_by_zero_fails_and_null_does_not() -> None:
    assert outcome(fn("/", A, B), FRAME) == ([5, None, None, None], {1: "10 / 0: division by zero"})
    assert outcome(fn("MOD", A, B), FRAME)[1] == {1: "MOD(10, 0): division by zero"}
    real = [cast(one, DOUBLE) for one in (A, B)]
    assert outcome(fn("/", *real), FRAME) == ([5.0, None, None, None], {1: "10.0 / 0.0: division by zero"})


def test_no_number_gets_out_of_what_is_none() -> None:
    for scalar in (fn("LN", 0), fn("SQRT", -1), fn("POWER", 0, -1), fn("EXP", 1000), fn("*", 1e300, 1e300)):
        assert failure(scalar)


def test_case_fails_by_the_branch_it_takes_only() -> None:
    quotient = fn("/", A, B)
    guarded = fn("CASE", fn("=", B, 0), -1, quotient)
    assert outcome(guarded, FRAME) == ([5, -1, -1, None], {})
    wrong = fn("CASE", fn("=", B, 0), quotient, 0)
    assert outcome(wrong, FRAME)[1] == {1: "10 / 0: division by zero"}
    assert outcome(fn("CASE", fn("=", B, 0), 1, fn(">", quotient, 1), 2), FRAME)[1] == {}
    assert set(outcome(fn("CASE", fn(">", quotient, 1), 2, fn("=", B, 0), 1), FRAME)[1]) == {1}


def test_conditions_that_are_decided_do_not_fail() -> None:
    risky = fn(">", fn("/", A, B), 1)
    assert outcome(fn("AND", fn("<>", B, 0), risky), FRAME) == ([True, False, False, None], {})
    assert outcome(fn("OR", fn("=", B, 0), risky), FRAME)[1] == {}
    assert set(outcome(fn("AND", risky, fn("<>", B, 0)), FRAME)[1]) == {1}
    assert outcome(fn("COALESCE", B, fn("/", 1, 0)), FRAME)[1] == {3: "1 / 0: division by zero"}


def test_errors_are_of_rows_and_values_of_the_others_stay() -> None:
    names = ["quotient", "number", "text"]
    evaluator = Evaluator([fn("/", A, B), cast(TEXT, BIGINT), TEXT], names)
    frame, errors = evaluator.run(FRAME, Moment(0))
    assert frame.columns == names
    assert frame.rows() == [(5, 1, "1"), (None, None, "x"), (None, None, None), (None, 3, "3")]
    assert errors is not None
    assert errors.rows == [1]
    assert errors.messages == ["10 / 0: division by zero"]


def test_constants_have_as_many_rows_as_the_frame() -> None:
    evaluator = Evaluator([lit(1), lit("x"), fn("CURRENT_TIMESTAMP")], ["one", "x", "now"])
    for height in (0, 1, 4):
        frame, errors = evaluator.run(FRAME.head(height), Moment(0))
        assert frame.height == height
        assert errors is None
    failing = Evaluator([fn("/", 1, 0)], ["v"]).run(FRAME, Moment(0))[1]
    assert failing is not None
    assert failing.rows == [0, 1, 2, 3]


@pytest.mark.parametrize("cuts", [[1, 2], [0, 4], [3]])
def test_the_cut_into_batches_changes_nothing(cuts: list[int]) -> None:
    scalars: list[Scalar] = [
        fn("/", A, B),
        cast(TEXT, INTEGER),
        cast(TEXT, TIMESTAMP),
        fn("CHAR_TO_TIMESTAMP", "ss", TEXT),
        fn("FIELD", fn("REGEX_LOG_PARSE", TEXT, "(.)"), "COLUMN1"),
    ]
    evaluator = Evaluator(scalars, list("abcde"))
    frame = pl.concat([FRAME] * 20)  # more than what is parsed one by one
    whole, errors = evaluator.run(frame, Moment(0))
    assert errors is not None
    bounds = [0, *cuts, frame.height]
    parts, rows = [], []
    for start, end in pairwise(bounds):
        part, failed = evaluator.run(frame[start:end], Moment(0))
        parts.append(part)
        rows += [(start + row, text) for row, text in zip(failed.rows, failed.messages, strict=True)] if failed else []
    assert pl.concat(parts).equals(whole)
    assert rows == list(zip(errors.rows, errors.messages, strict=True))


def test_times_stay_within_the_years_that_there_are() -> None:
    assert "out of range" in failure(fn("TO_TIMESTAMP", lit(10**18, BIGINT)))
    far = SqlType(Kind.INTERVAL_YEAR)
    stamp = fn("TO_TIMESTAMP", lit(0, BIGINT))
    for interval in (lit(12 * 9000, far), lit(-12 * 2000, far), lit(2**62, SqlType(Kind.INTERVAL_DAY))):
        assert "does not fit TIMESTAMP" in failure(fn("+", stamp, interval))
    assert "does not fit" in failure(fn("*", lit(2**62, SqlType(Kind.INTERVAL_DAY)), lit(2**62, BIGINT)))


def test_long_chains_and_deep_nests() -> None:
    total: Scalar = A
    text: Scalar = TEXT
    depth: Scalar = A
    chosen: Scalar = A
    for number in range(300):
        total = fn("+", total, 1)
        text = fn("||", text, ",")
        depth = fn("ABS", depth)
        chosen = fn("CASE", fn("=", A, number), fn("+", A, number), chosen) if number < 100 else chosen
    values, errors = Evaluator([total, text, depth, chosen], list("abcd")).run(FRAME, Moment(0))
    assert errors is None
    assert values.row(0) == (310, "1" + "," * 300, 10, 20)


def test_a_row_that_stops_polars_stops_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Evaluator._run

    def picky(self: Evaluator, frame: pl.DataFrame, moment: Moment) -> tuple[pl.DataFrame, RowErrors | None]:
        if "x" in frame.get_column("S.TEXT").to_list():
            raise pl.exceptions.ComputeError("no x\nmore of it")
        return whole(self, frame, moment)

    monkeypatch.setattr(Evaluator, "_run", picky)
    values, errors = Evaluator([fn("/", A, B), TEXT], ["quotient", "text"]).run(FRAME, Moment(0))
    assert values.rows() == [(5, "1"), (None, None), (None, None), (None, "3")]
    assert errors == RowErrors([1], ["no x"])


def test_constants_are_folded() -> None:
    assert constant(fn("*", 2, fn("+", 3, 4))) == 14
    assert constant(lit(7)) == 7
    assert not is_constant(fn("CURRENT_DATE"))
    with pytest.raises(Mistake, match="must be a constant"):
        constant(fn("+", A, 1))
    with pytest.raises(Mistake, match="division by zero"):
        constant(fn("/", 1, 0))


def test_scalars_are_printed_as_sql() -> None:
    printed = {
        "(S.A + 1) * S.B": fn("*", fn("+", A, 1), B),
        "CASE WHEN S.A > 1 THEN 'it''s' ELSE NULL END": fn("CASE", fn(">", A, 1), "it's"),
        "NOT (S.TEXT LIKE 'a%')": fn("NOT LIKE", TEXT, "a%"),
        "S.A IN (1, 2)": fn("IN", A, 1, 2),
        "CAST(S.TEXT AS INTEGER)": cast(TEXT, INTEGER),
        "S.A IS NULL": fn("IS NULL", A),
        "REGEX_LOG_PARSE(S.TEXT, '(.)').COLUMN1": fn("FIELD", fn("REGEX_LOG_PARSE", TEXT, "(.)"), "COLUMN1"),
        "TRIM(BOTH ' ' FROM S.TEXT)": fn("TRIM", "BOTH", " ", TEXT),
    }
    assert {show(scalar) for scalar in printed.values()} == set(printed)


CONSTANTS: dict[str, Scalar] = {
    "POSITION": fn("POSITION", TEXT, "x1"),
    "LIKE": fn("LIKE", "x1", fn("||", "x", "%")),
    "LIKE of a column": fn("LIKE", "x", TEXT),
    "CAST": cast(fn("UPPER", "12"), INTEGER),
    "CHAR_TO_TIMESTAMP": fn("CHAR_TO_TIMESTAMP", "yyyy", "2016"),
    "TIMESTAMP_TO_CHAR": fn("TIMESTAMP_TO_CHAR", "EEE", cast(fn("||", "2016-01-01 00:00:", "07"), TIMESTAMP)),
    "W3C_LOG_PARSE": fn("FIELD", fn("W3C_LOG_PARSE", '1.2.3.4 - - x "GET / HTTP/1.0" 200 1', "COMMON"), "COLUMN1"),
    "comparison": fn(">=", lit(7.5), A),
    "decimals": fn("=", lit(Decimal("10.0")), A),
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_have_a_value_for_every_row_at_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluator = Evaluator([CONSTANTS[name]], ["value"])
    alike = pl.concat([FRAME[:1]] * 3).with_columns(pl.lit(10, pl.Int32()).alias("S.A"))
    one_by_one = [
        evaluator.run(frame[row : row + 1], Moment(0))[0].item() for frame in (FRAME, alike) for row in range(3)
    ]
    monkeypatch.delattr(Evaluator, "_one_by_one")  # the slow way out
    at_once = [
        evaluator.run(frame[:3], Moment(0))[0].to_series().to_list() for frame in (FRAME, alike, FRAME[:1][[0, 0, 0]])
    ]
    assert at_once[0] + at_once[1] == one_by_one
    assert at_once[2] == at_once[0][:1] * 3
    nothing, errors = evaluator.run(FRAME[:0], Moment(0))
    assert (nothing.height, errors) == (0, None)
