"""MONOTONIC(value): what comes late is left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from millstream.analytics.operators.arrays import to_array
from millstream.analytics.operators.frames import Cycle, State
from millstream.analytics.operators.rings import Array
from millstream.analytics.operators.stateless import computed
from millstream.analytics.plan.nodes import Monotonic
from millstream.analytics.scalars.compile import Evaluator

_VALUE = "$value"


class MonotonicOperator:
    """Drops rows whose value is below the greatest seen before. A null is below nothing, and passes."""

    def __init__(self, node: Monotonic) -> None:
        self._evaluator = Evaluator([node.value], [_VALUE])
        self._greatest: Any = None  # as it lies in an array

    def process(self, inputs: tuple[pl.DataFrame, ...], cycle: Cycle) -> pl.DataFrame:
        """See Operator.process."""
        if not inputs[0].height:
            return inputs[0]
        frame, found = computed(self._evaluator, inputs[0], cycle)
        values, known = to_array(found.to_series())
        rising = known.copy()
        rising[known] = self._rising(values[known])
        return frame.filter(pl.Series(rising | ~known))

    def _rising(self, values: Array) -> Array:
        if not values.size:
            return np.zeros(0, np.bool_)
        greatest = np.fmax.accumulate(values)
        if self._greatest is not None:
            greatest = np.fmax(greatest, np.full(values.size, self._greatest, dtype=values.dtype))
        self._greatest = greatest[-1] if values.dtype == np.object_ else greatest[-1].item()
        return np.asarray(values >= greatest, dtype=np.bool_)

    def state(self) -> State:
        """See Operator.state."""
        return {"greatest": self._greatest}

    def restore(self, state: State) -> None:
        """See Operator.restore."""
        self._greatest = state["greatest"]

    def state_bytes(self) -> int:
        """See Operator.state_bytes."""
        return 8
