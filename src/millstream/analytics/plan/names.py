"""Functions that are more than scalars."""

from __future__ import annotations

AGGREGATES = frozenset(
    [
        "COUNT",
        "SUM",
        "AVG",
        "MIN",
        "MAX",
        "STDDEV_POP",
        "STDDEV_SAMP",
        "VAR_POP",
        "VAR_SAMP",
        "FIRST_VALUE",
        "LAST_VALUE",
        "ANY",
        "EVERY",
        "EXP_AVG",
        "NTH_VALUE",
    ]
)
"""Over the rows of a group, or OVER a window."""

OVER_ONLY = frozenset({"LAG"})
"""Only OVER a window."""

TABLE_FUNCTIONS = frozenset(
    {
        "COUNT_DISTINCT_ITEMS_TUMBLING",
        "TOP_K_ITEMS_TUMBLING",
        "RANDOM_CUT_FOREST",
        "RANDOM_CUT_FOREST_WITH_EXPLANATION",
        "HOTSPOTS",
        "GROUP_RANK",
    }
)
"""In FROM TABLE(…)."""
