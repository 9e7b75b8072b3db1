"""The order of rows of several streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import polars as pl

from millstream.analytics.operators.frames import SEQ, TIME, Times


def instants(frame: pl.DataFrame) -> Times:
    """Numbers that order the rows of all streams of an application as ($seq, $time) does, and are equal where both
    are: their sum, since neither goes back along that order."""
    return cast(Times, frame.get_column(SEQ).to_numpy() + frame.get_column(TIME).to_numpy())


def merged_order(numbers: Sequence[Times]) -> Times:
    """How to take from the inputs, put end to end, so that their instants do not decrease; of equal ones, those of an
    earlier input first."""
    return np.argsort(np.concatenate(numbers), kind="stable")
