"""What RANDOM_CUT_FOREST_WITH_EXPLANATION says of a row: ANOMALY_EXPLANATION, a JSON text as AWS writes it.

    {"Systolic":{"DIRECTION":"LOW","STRENGTH":"0.0922","ATTRIBUTION_SCORE":"0.3792"},"Diastolic":{…}}

ATTRIBUTION_SCORE is the column's part of the anomaly score (they add up to it). DIRECTION says whether its value is
above or below what the forest knows, and STRENGTH by how much one side outweighs the other: between 0 and the
attribution score. Both only with direction. While the forest learns all are 0, and LOW.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from millstream.analytics.learning.randomness import Floats


def explanations(columns: Sequence[str], shares: Floats, *, directed: bool) -> list[str]:
    """A text for each row of `shares`, as a `Forest` gives them with `explained`."""
    names = [json.dumps(column, ensure_ascii=False) for column in columns]
    low, high = shares[:, : len(names)].tolist(), shares[:, len(names) :].tolist()
    describe = _directed if directed else _undirected
    return [
        "{" + ",".join(f"{part[0]}:{describe(part[1], part[2])}" for part in zip(names, *sides, strict=True)) + "}"
        for sides in zip(low, high, strict=True)
    ]


def _directed(low: float, high: float) -> str:
    direction = "HIGH" if high > low else "LOW"
    return f'{{"DIRECTION":"{direction}","STRENGTH":"{abs(high - low):.4f}","ATTRIBUTION_SCORE":"{low + high:.4f}"}}'


def _undirected(low: float, high: float) -> str:
    return f'{{"ATTRIBUTION_SCORE":"{low + high:.4f}"}}'
