"""Planning: names resolved, types checked, windows recognised; statements in, a plan out that the engine can run and
people can read."""

from millstream.analytics.plan.environment import Catalog
from millstream.analytics.plan.explain import explain, explain_query
from millstream.analytics.plan.program import plan_program

__all__ = ["Catalog", "explain", "explain_query", "plan_program"]
