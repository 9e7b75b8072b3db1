"""Scalars over batches of any values, with DuckDB as the oracle."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.analytics.scalars.compile import Evaluator, Moment
from millstream.analytics.scalars.dateformat import DateFormat
from millstream.analytics.scalars.dtypes import dtype
from millstream.analytics.scalars.mistakes import Mistake
from millstream.analytics.scalars.nodes import ColumnRef, Scalar
from millstream.analytics.scalars.signatures import cast
from millstream.analytics.scalars.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    DOUBLE,
    INTEGER,
    TIMESTAMP,
    Kind,
    SqlType,
    decimal,
    digits,
    integer_range,
    varchar,
)
from support.scalars import fn, interval, lit

few = settings(max_examples=12, deadline=None)
VARCHAR = varchar(1000)
EPOCH = datetime(1970, 1, 1)
WORDS = st.text("ab%_\\.é 1", max_size=6)
STAMPS = st.integers(-(10**12), 4 * 10**12).map(lambda ms: EPOCH + timedelta(milliseconds=ms))


def run(scalars: list[Scalar], frame: pl.DataFrame) -> tuple[list[list[object]], set[int]]:
    """The columns of values, and the rows that fail."""
    names = [f"v{number}" for number in range(len(scalars))]
    values, errors = Evaluator(scalars, names).run(frame, Moment(0))
    return [values.get_column(name).to_list() for name in names], set(errors.rows if errors else ())


def asked(frame: pl.DataFrame, sql: str) -> list[tuple[object, ...]]:
    """What DuckDB says of the frame's rows, in their order."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("t", frame.with_row_index("row").to_arrow())
        return connection.execute(f"SELECT {sql} FROM t ORDER BY row").fetchall()


def table(of: SqlType, *columns: Sequence[object]) -> tuple[pl.DataFrame, list[ColumnRef]]:
    names = "abcd"[: len(columns)]
    frame = pl.DataFrame(
        {name: pl.Series(column, dtype=dtype(of)) for name, column in zip(names, columns, strict=True)}
    )
    return frame, [ColumnRef(name, of) for name in names]


def pairs(values: st.SearchStrategy[object]) -> st.SearchStrategy[list[tuple[object, object]]]:
    nullable = st.none() | values
    return st.lists(st.tuples(nullable, nullable), min_size=1, max_size=30)


@pytest.mark.parametrize("kind", [Kind.TINYINT, Kind.INTEGER, Kind.BIGINT])
@few
@given(data=st.data())
def test_whole_numbers_are_exact_or_fail(kind: Kind, data: st.DataObject) -> None:
    least, greatest = integer_range(kind)
    edges = st.sampled_from([least, least + 1, -1, 0, 1, greatest]) | st.integers(-20, 20)
    rows = data.draw(pairs(st.integers(least, greatest) | edges))
    frame, (a, b) = table(SqlType(kind), *(list(column) for column in zip(*rows, strict=True)))
    operators: dict[str, Callable[[int, int], int | None]] = {
        "+": lambda x, y: x + y,
        "-": lambda x, y: x - y,
        "*": lambda x, y: x * y,
        "/": lambda x, y: None if y == 0 else abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1),
        "MOD": lambda x, y: None if y == 0 else abs(x) % abs(y) * (-1 if x < 0 else 1),
    }
    for name, exact in operators.items():
        (values,), failed = run([fn(name, a, b)], frame)
        for row, (x, y) in enumerate(rows):
            if not isinstance(x, int) or not isinstance(y, int):
                assert values[row] is None
                assert row not in failed
                continue
            expected = exact(x, y)
            fits = expected is not None and least <= expected <= greatest
            assert (row in failed) is not fits
            assert values[row] == (expected if fits else None)


@few
@given(
    rows=pairs(st.decimals(-(10**9), 10**9, places=3, allow_nan=False)),
    scales=st.tuples(st.integers(0, 6), st.integers(0, 6)),
)
def test_decimals_are_exact(rows: list[tuple[Decimal | None, Decimal | None]], scales: tuple[int, int]) -> None:
    types = [decimal(10 + scale, scale) for scale in scales]
    with localcontext() as context:
        context.prec = 60
        given = [
            [None if one is None else one.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP) for one in column]
            for column, scale in zip(zip(*rows, strict=True), scales, strict=True)
        ]
        frame = pl.DataFrame(
            {name: pl.Series(column, dtype=dtype(of)) for name, column, of in zip("ab", given, types, strict=True)}
        )
        a, b = (ColumnRef(name, of) for name, of in zip("ab", types, strict=True))
        for name in ("+", "-", "*", "/"):
            scalar = fn(name, a, b)
            precision, scale = digits(scalar.type)
            (values,), failed = run([scalar], frame)
            for row, (x, y) in enumerate(zip(*given, strict=True)):
                if x is None or y is None:
                    assert values[row] is None
                    continue
                if name == "/" and y == 0:
                    assert row in failed
                    continue
                exact = {"+": x + y, "-": x - y, "*": x * y, "/": x / (y or 1)}[name]
                rounded = exact.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP)
                fits = abs(rounded) < Decimal(10) ** (precision - scale)
                assert (row in failed) is not fits
                assert values[row] == (rounded if fits else None)


@few
@given(rows=pairs(st.floats(allow_nan=False, allow_infinity=False)))
def test_floats_are_finite_or_fail(rows: list[tuple[float | None, float | None]]) -> None:
    frame, (a, b) = table(DOUBLE, *(list(column) for column in zip(*rows, strict=True)))
    for name in ("+", "*", "/"):
        (values,), failed = run([fn(name, a, b)], frame)
        told = asked(frame, f"a {name} b")
        for row, (expected,) in enumerate(told):
            zero = name == "/" and rows[row][1] == 0 and rows[row][0] is not None
            fine = not zero and (expected is None or math.isfinite(float(str(expected))))
            assert (row in failed) is not fine
            assert values[row] == (expected if fine else None)


@few
@given(rows=pairs(st.booleans()), numbers=pairs(st.integers(-3, 3)))
def test_logic_of_three_values(
    rows: list[tuple[bool | None, bool | None]], numbers: list[tuple[int | None, int | None]]
) -> None:
    frame, (a, b) = table(BOOLEAN, *(list(column) for column in zip(*rows, strict=True)))
    scalars = [fn("AND", a, b), fn("OR", a, b), fn("NOT", a), fn("IS NOT TRUE", a), fn("IS FALSE", b)]
    assert list(zip(*run(scalars, frame)[0], strict=True)) == asked(
        frame, "a AND b, a OR b, NOT a, a IS NOT TRUE, b IS FALSE"
    )
    frame, (c, d) = table(INTEGER, *(list(column) for column in zip(*numbers, strict=True)))
    scalars = [
        *(fn(name, c, d) for name in ("=", "<>", "<", ">=", "IS DISTINCT FROM")),
        fn("BETWEEN", c, -1, d),
        fn("NOT IN", c, 1, 2, d),
        fn("IN", c, 1, 2, 3, lit(None, INTEGER)),
        fn("NULLIF", c, d),
        fn("CASE", fn(">", c, d), c, fn("=", c, d), 99, d),
    ]
    told = asked(
        frame,
        "a = b, a <> b, a < b, a >= b, a IS DISTINCT FROM b, a BETWEEN -1 AND b, a NOT IN (1, 2, b), "
        "a IN (1, 2, 3, NULL), NULLIF(a, b), CASE WHEN a > b THEN a WHEN a = b THEN 99 ELSE b END",
    )
    assert list(zip(*run(scalars, frame)[0], strict=True)) == told


@few
@given(rows=pairs(WORDS), start=st.integers(1, 5), length=st.integers(0, 5))
def test_texts(rows: list[tuple[str | None, str | None]], start: int, length: int) -> None:
    frame, (a, b) = table(VARCHAR, *(list(column) for column in zip(*rows, strict=True)))
    scalars = [
        fn("||", a, b),
        fn("UPPER", a),
        fn("CHAR_LENGTH", a),
        fn("SUBSTRING", a, start, length),
        fn("POSITION", b, a),
        fn("TRIM", "BOTH", " ", a),
        fn("=", a, b),
        fn("<", a, b),
        cast(a, varchar(2)),
    ]
    told = asked(
        frame,
        f"a || b, upper(a), length(a), substring(a, {start}, {length}), instr(a, b), trim(a, ' '), a = b, a < b, a[:2]",
    )
    values, failed = run(scalars, frame)
    assert not failed
    assert list(zip(*values, strict=True)) == told


@few
@given(texts=st.lists(st.none() | WORDS, min_size=1, max_size=30), pattern=WORDS)
def test_like(texts: list[str | None], pattern: str) -> None:
    frame, (a,) = table(VARCHAR, texts)
    try:
        plain, escaped = fn("LIKE", a, pattern), fn("LIKE", a, pattern, "\\")
        similar = fn("SIMILAR TO", a, pattern, "\\")
    except Mistake:
        assert pattern.replace("\\\\", "").endswith("\\")
        return
    told = [row[0] for row in asked(frame, "a LIKE '" + pattern.replace("'", "''") + "'")]
    (first, second, third), failed = run([plain, escaped, similar], frame)
    assert not failed
    assert first == told
    assert second == third


@few
@given(
    texts=st.lists(st.text("ab1", max_size=5), min_size=1, max_size=20),
    pattern=st.recursive(
        st.sampled_from(["a", "b", "1", "_", "%", "[ab]", "[^a]", "[a-b]"]),
        lambda inner: st.one_of(
            st.tuples(inner, inner).map("".join),
            st.tuples(inner, inner).map(lambda two: f"({two[0]}|{two[1]})"),
            st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}"])).map(lambda two: f"({two[0]}){two[1]}"),
        ),
        max_leaves=6,
    ),
)
def test_similar_to(texts: list[str], pattern: str) -> None:
    frame, (a,) = table(VARCHAR, list(texts))
    regex = pattern.replace("%", ".*").replace("_", ".")
    told = [row[0] for row in asked(frame, f"regexp_full_match(a, '{regex}')")]
    assert run([fn("SIMILAR TO", a, pattern)], frame)[0] == [told]


@few
@given(stamps=st.lists(st.none() | STAMPS, min_size=1, max_size=30), months=st.integers(-30, 30))
def test_times(stamps: list[datetime | None], months: int) -> None:
    frame, (a,) = table(TIMESTAMP, stamps)
    units = ["YEAR", "QUARTER", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"]
    floors = [fn("FLOOR TO", a, unit) for unit in units]
    values, failed = run(floors, frame)
    assert not failed
    told = asked(frame, ", ".join(f"date_trunc('{unit}', a)::TIMESTAMP" for unit in units))
    assert list(zip(*values, strict=True)) == told
    parts = ["YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "DOY", "HOUR", "MINUTE"]
    told = asked(frame, ", ".join(f"EXTRACT({part} FROM a)" for part in parts))
    assert list(zip(*run([fn("EXTRACT", part, a) for part in parts], frame)[0], strict=True)) == told
    moved = [fn("+", a, interval(months, "MONTH")), fn("-", a, interval(90_061_001)), fn("STEP", a, interval(7000))]
    told = asked(
        frame,
        f"a + INTERVAL ({months}) MONTH, a - INTERVAL 90061001 MILLISECOND, "
        "time_bucket(INTERVAL 7 SECOND, a, TIMESTAMP '1970-01-01')",
    )
    assert list(zip(*run(moved, frame)[0], strict=True)) == told


@few
@given(
    stamps=st.lists(STAMPS, min_size=1, max_size=30), form=st.sampled_from(["%Y-%m-%d %H:%M:%S.%f", "%d/%m/%Y %H:%M"])
)
def test_times_and_texts(stamps: list[datetime], form: str) -> None:
    frame, (a,) = table(TIMESTAMP, list(stamps))
    java = form.replace("%f", "SSS")
    for word, letters in {"%Y": "yyyy", "%m": "MM", "%d": "dd", "%H": "HH", "%M": "mm", "%S": "ss"}.items():
        java = java.replace(word, letters)
    text = fn("TIMESTAMP_TO_CHAR", java, a)
    values, failed = run([text, fn("CHAR_TO_TIMESTAMP", java, text), cast(cast(a, VARCHAR), TIMESTAMP)], frame)
    assert not failed
    assert values[2] == stamps
    precise = "%f" in form
    for stamp, shown, read in zip(stamps, values[0], values[1], strict=True):
        assert shown == (stamp.strftime(form)[:-3] if precise else stamp.strftime(form))
        assert read == (stamp if precise else stamp.replace(second=0, microsecond=0))
        assert DateFormat(java).parse(str(shown)) == read


@few
@given(
    texts=st.lists(
        st.none()
        | st.integers(-(10**20), 10**20).map(str)
        | st.decimals(-(10**6), 10**6, places=3, allow_nan=False).map(str)
        | st.floats(allow_nan=True).map(repr)
        | STAMPS.map(str)
        | st.text("0123456789-:. Te+Z", max_size=20),
        min_size=1,
        max_size=40,
    )
)
def test_any_text_is_cast_or_fails_whatever_its_batch(texts: list[str | None]) -> None:
    frame, (a,) = table(VARCHAR, list(texts))
    for of in (INTEGER, BIGINT, DOUBLE, decimal(10, 2), BOOLEAN, DATE, SqlType(Kind.TIME), TIMESTAMP):
        (values,), failed = run([cast(a, of)], frame)
        for row, text in enumerate(texts):
            assert (values[row] is None) is (text is None or row in failed)
            (alone,), fails = run([cast(a, of)], frame[row : row + 1])
            assert (alone[0], bool(fails)) == (values[row], row in failed)
        if of == DOUBLE:
            assert all(value is None or math.isfinite(float(str(value))) for value in values)


@few
@given(pattern=st.text("ab(){}[]|*+?^$.\\-&dwsQE<>:=!,0123", max_size=12), text=st.text("ab1 ", max_size=6))
def test_any_pattern_works_or_is_refused(pattern: str, text: str) -> None:
    calls: list[tuple[str, *tuple[object, ...]]] = [
        ("SIMILAR TO", text, pattern),
        ("LIKE", text, pattern, "\\"),
        ("REGEX_REPLACE", text, pattern, "x"),
        ("REGEX_LOG_PARSE", text, pattern),
        ("FAST_REGEX_LOG_PARSER", text, pattern),
        ("W3C_LOG_PARSE", text, pattern),
        ("FIXED_COLUMN_LOG_PARSE", text, pattern),
        ("SUBSTRING", text, pattern),
        ("CHAR_TO_TIMESTAMP", pattern, text),
        ("TIMESTAMP_TO_CHAR", pattern, datetime.now(UTC).replace(tzinfo=None)),
    ]
    for call in calls:
        try:
            evaluator = Evaluator([fn(*call)], ["v"])
        except Mistake:
            continue
        values, errors = evaluator.run(pl.DataFrame({"$seq": [0]}), Moment(0))
        assert values.height == 1
        assert errors is None or call[0] == "CHAR_TO_TIMESTAMP"


@few
@given(rows=st.lists(st.integers(-(10**6), 10**6), min_size=2, max_size=40), divisor=st.integers(1, 300))
def test_division_by_a_constant_is_division(rows: list[int], divisor: int) -> None:
    rows += [divisor * factor for factor in range(-3, 50)]
    frame, (a,) = table(INTEGER, rows)
    (whole, real), failed = run([fn("/", a, divisor), fn("/", cast(a, DOUBLE), float(divisor))], frame)
    assert not failed
    assert whole == [abs(row) // divisor * (-1 if row < 0 else 1) for row in rows]
    assert real == [row / divisor for row in rows]
