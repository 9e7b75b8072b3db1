"""The functions and operators as Polars expressions, one module a subject. `MAKERS` has them all by the name of the
call."""

from __future__ import annotations

from millstream.analytics.scalars.building import Maker
from millstream.analytics.scalars.expressions.casts import MAKERS as _CASTS
from millstream.analytics.scalars.expressions.logic import MAKERS as _LOGIC
from millstream.analytics.scalars.expressions.numbers import MAKERS as _NUMBERS
from millstream.analytics.scalars.expressions.parsing import MAKERS as _PARSING
from millstream.analytics.scalars.expressions.strings import MAKERS as _STRINGS
from millstream.analytics.scalars.expressions.times import MAKERS as _TIMES

MAKERS: dict[str, Maker] = {**_NUMBERS, **_LOGIC, **_TIMES, **_STRINGS, **_PARSING, **_CASTS}
