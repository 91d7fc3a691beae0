"""Colours and thresholds that mean the same wherever they are: what is good, what an outcome looks like."""

from __future__ import annotations

from grafana.source.panel import Steps

OUTCOMES = {
    "pay": "green",
    "partial": "yellow",
    "pend": "purple",
    "deny": "red",
    "void": "dark-blue",
    "out_of_scope": "gray",
}
VERDICTS = {
    "reproduced": "green",
    "policy": "blue",
    "code_set": "purple",
    "history": "yellow",
    "engine": "orange",
    "missing": "red",
    "extra": "dark-orange",
    "tampered": "dark-red",
}

NONE_IS_GOOD: Steps = ((None, "green"), (1e-9, "red"))
EXACTLY_ONE: Steps = ((None, "red"), (1, "green"), (2, "red"))
ALL_IS_GOOD: Steps = ((None, "red"), (1, "green"))
"""Of a share: less than all of it is bad."""
BUDGET: Steps = ((None, "red"), (0, "orange"), (0.25, "green"))
"""Of the share of an error budget that is left: spent, a quarter left, more."""
LATENESS: Steps = ((None, "green"), (5, "orange"), (60, "red"))
"""Seconds: what the latency objective allows, and what people notice."""
EXPIRY: Steps = ((None, "red"), (7 * 86_400, "orange"), (30 * 86_400, "text"))
"""Seconds that are left: a week, a month."""
