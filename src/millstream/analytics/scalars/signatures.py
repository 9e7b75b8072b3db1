"""Which scalar functions and operators there are, what they take, and what they give.

`call(name, arguments)` types one call. Names are in upper case; an optional argument stands in [brackets]; *text*: CHAR
or VARCHAR; *unit*: a Literal string ("YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND",
"MILLISECOND"). Names with other words for the same (CEILING, NOT LIKE, LOCALTIMESTAMP) come back as one.

Operators
    +  -  *  /            (a, b) numbers; intervals and times: time + interval, interval + time, time - interval,
                          interval ± interval, interval * number, number * interval, interval / number.
                          A difference of two times is "INTERVAL OF"
    NEG  POS              (a)   the signs
    ||                    (a, b) text
    =  <>  <  <=  >  >=   (a, b)
    AND  OR               (a, b, …) two or more;  NOT (a)
    IS NULL, IS NOT NULL, IS TRUE, IS FALSE, IS UNKNOWN, IS NOT TRUE, IS NOT FALSE, IS NOT UNKNOWN   (a)
    IS DISTINCT FROM, IS NOT DISTINCT FROM   (a, b)
    BETWEEN, NOT BETWEEN  (a, low, high)
    IN, NOT IN            (a, value, …)
    LIKE, NOT LIKE, SIMILAR TO, NOT SIMILAR TO   (text, pattern, [escape])
    OVERLAPS, CONTAINS, EQUALS, PRECEDES, SUCCEEDS, LEADS, LAGS, also with STRICTLY before them (not EQUALS), and the
    last four with IMMEDIATELY
                          (start1, end1, start2, end2) times; an end may be an interval: the length;
                          CONTAINS also (start, end, time)
    INTERVAL OF           (a, b, unit, [to unit]) a - b of times as an interval
    FIELD                 (record, Literal name)
Conditional
    CASE                  (condition, value, …, [default])   a simple CASE: let the planner make the conditions with "="
    COALESCE (a, …)   NULLIF (a, b)   GREATEST, LEAST (a, …)
    CAST: `cast(argument, type)`
Numbers
    ABS CEIL CEILING EXP FLOOR LN LOG10 SQRT (a)   MOD (a, b)   POWER (a, b)   ROUND (a, [digits])
Times
    STEP                  (a, step) number by number, time by interval
    FLOOR TO, CEIL TO     (a, unit) of DATE, TIME, TIMESTAMP or an interval
    EXTRACT               (unit, a)
    CHAR_TO_DATE, CHAR_TO_TIME, CHAR_TO_TIMESTAMP    (format, text)
    DATE_TO_CHAR, TIME_TO_CHAR, TIMESTAMP_TO_CHAR    (format, value)
    TO_TIMESTAMP (number of ms since 1970)   UNIX_TIMESTAMP ([timestamp])   TSDIFF (a, b): a - b, ms
    CURRENT_DATE, CURRENT_TIME, CURRENT_TIMESTAMP, LOCALTIME, LOCALTIMESTAMP ()
    CURRENT_ROW_TIMESTAMP (the row's ROWTIME)
Text
    CHAR_LENGTH, CHARACTER_LENGTH, INITCAP, LOWER, UPPER (a)   POSITION (a, b): of a in b
    OVERLAY (a, placing, from, [for])
    SUBSTRING (a, from, [for]), (a, regular expression), (a, SIMILAR pattern, escape)
    TRIM (side, characters, a)   REGEX_REPLACE (a, pattern, replacement, [start position, [occurrence]])
Records
    FAST_REGEX_LOG_PARSER (also FAST_REGEX_LOG_PARSE), REGEX_LOG_PARSE (text, pattern, [columns])
    SYS_LOG_PARSE (text)   W3C_LOG_PARSE (text, format)
    VARIABLE_COLUMN_LOG_PARSE (text, columns, delimiter, [escape], [quote])   FIXED_COLUMN_LOG_PARSE (text, columns)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from millstream.analytics.language.errors import Span
from millstream.analytics.scalars import functions, rules
from millstream.analytics.scalars.coercion import cast, common_type
from millstream.analytics.scalars.mistakes import Mistake, did_you_mean
from millstream.analytics.scalars.nodes import Call, Scalar
from millstream.analytics.scalars.types import BOOLEAN

__all__ = ["SCALAR_FUNCTIONS", "Mistake", "call", "cast", "common_type"]

Rule = Callable[[str, tuple[Scalar, ...]], Scalar]


class Signature(NamedTuple):
    """How many arguments a name takes (`most` None: any number), and how a call of it is typed."""

    rule: Rule
    least: int
    most: int | None
    named: bool = True  # a function that users call by this name, not an operator


def _operators() -> dict[str, Signature]:
    two = dict.fromkeys(["=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"], rules.comparison)
    table = {name: Signature(rule, 2, 2, named=False) for name, rule in two.items()}
    table |= {name: Signature(rules.arithmetic, 2, 2, named=False) for name in ("+", "-", "*", "/")}
    table |= {name: Signature(rules.condition, 2, None, named=False) for name in ("AND", "OR")}
    table |= {
        name: Signature(rules.condition, 1, 1, named=False) for name in ("NOT", "IS TRUE", "IS FALSE", "IS UNKNOWN")
    }
    table |= {
        "NEG": Signature(rules.sign, 1, 1, named=False),
        "POS": Signature(rules.sign, 1, 1, named=False),
        "||": Signature(rules.concatenation, 2, None, named=False),
        "IS NULL": Signature(rules.is_null, 1, 1, named=False),
        "IS NOT NULL": Signature(rules.is_null, 1, 1, named=False),
        "BETWEEN": Signature(rules.comparison, 3, 3, named=False),
        "IN": Signature(rules.comparison, 2, None, named=False),
        "LIKE": Signature(functions.pattern_match, 2, 3, named=False),
        "SIMILAR TO": Signature(functions.pattern_match, 2, 3, named=False),
        "INTERVAL OF": Signature(rules.interval_of, 3, 4, named=False),
        "FIELD": Signature(functions.field, 2, 2, named=False),
        "CASE": Signature(rules.case, 2, None, named=False),
        "FLOOR TO": Signature(rules.to_unit, 2, 2, named=False),
        "CEIL TO": Signature(rules.to_unit, 2, 2, named=False),
    }
    return table | {name: Signature(rules.predicate_of_periods, 3, 4, named=False) for name in _PERIODS}


_PERIODS = (
    *("OVERLAPS", "CONTAINS", "EQUALS", "PRECEDES", "SUCCEEDS", "LEADS", "LAGS"),
    *("STRICTLY OVERLAPS", "STRICTLY CONTAINS", "STRICTLY PRECEDES", "STRICTLY SUCCEEDS", "STRICTLY LEADS"),
    *("STRICTLY LAGS", "IMMEDIATELY PRECEDES", "IMMEDIATELY SUCCEEDS", "IMMEDIATELY LEADS", "IMMEDIATELY LAGS"),
)
_ALIASES = {
    "CEILING": "CEIL",
    "CHARACTER_LENGTH": "CHAR_LENGTH",
    "LOCALTIME": "CURRENT_TIME",
    "LOCALTIMESTAMP": "CURRENT_TIMESTAMP",
    "FAST_REGEX_LOG_PARSE": "FAST_REGEX_LOG_PARSER",
}
_NEGATED = {
    *("NOT BETWEEN", "NOT IN", "NOT LIKE", "NOT SIMILAR TO"),
    *("IS NOT TRUE", "IS NOT FALSE", "IS NOT UNKNOWN"),
}
_TABLE = (
    _operators()
    | {name: Signature(one.rule, one.least, one.most) for name, one in functions.FUNCTIONS.items()}
    | {
        "COALESCE": Signature(rules.coalesce, 1, None),
        "GREATEST": Signature(rules.coalesce, 1, None),
        "LEAST": Signature(rules.coalesce, 1, None),
        "NULLIF": Signature(rules.null_if, 2, 2),
        "STEP": Signature(rules.step, 2, 2),
    }
)

SCALAR_FUNCTIONS: frozenset[str] = frozenset({name for name, one in _TABLE.items() if one.named} | set(_ALIASES))
"""Names of all scalar functions, without operators."""


def call(function: str, arguments: Sequence[Scalar], span: Span | None = None) -> Scalar:
    """The typed call of a scalar function or operator, its arguments coerced where SQL does. Raises Mistake, with
    "did you mean"."""
    if function in _NEGATED:
        inner = call(function.removeprefix("NOT ").replace("IS NOT", "IS"), arguments, span)
        return Call("NOT", (inner,), BOOLEAN, span)
    name = _ALIASES.get(function, function)
    signature = _TABLE.get(name)
    if signature is None:
        raise Mistake(f"There is no function {function}", did_you_mean(function, SCALAR_FUNCTIONS))
    count = len(arguments)
    if count < signature.least or (signature.most is not None and count > signature.most):
        raise Mistake(f"{function} takes {_how_many(signature)}, not {count}")
    made = signature.rule(name, tuple(arguments))
    return made if span is None or made in arguments else made._replace(span=span)


def _how_many(signature: Signature) -> str:
    least, most = signature.least, signature.most
    if most == 0:
        return "no arguments"
    words = f"{least} or more" if most is None else f"{least}" if least == most else f"{least} to {most}"
    return f"{words} argument{'' if words == '1' else 's'}"
