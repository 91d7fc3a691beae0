"""A run that has not put something to the proof is no proof of it."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.journal import Journal
from tests.chaos.outcome import BEGINS_AGAIN, DOUBTS, Outcome
from tests.chaos.run import Options
from tests.chaos.verdict import SENTENCES, Verdict


def outcome(**other: Any) -> Outcome:
    counts = dict.fromkeys([*SENTENCES, "member_order_violations"], 0)
    figures = {
        "options": Options(1, 1),
        "seconds": 60.0,
        "journal": Journal(Path("timeline.log"), lambda _: None, defaultdict),
        "verdict": Verdict(records=110, results=100, dead_letters=10, first={}, **counts),
        "faults": [],
        "unknown": 0,
        "in_time": 100,
        "written": 90,
        "left": 89,
        "aborted": 1,
        "doubts": dict.fromkeys(DOUBTS, 1),
    }
    return Outcome(**{**figures, **other})


def test_a_run_that_has_put_everything_to_the_proof_is_good() -> None:
    assert outcome().violations == []
    assert outcome(in_time=55, doubts={**dict.fromkeys(DOUBTS, 0), BEGINS_AGAIN: 1}).violations == []


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        ({"left": 90}, "compaction"),
        ({"aborted": 0}, "aborted"),
        ({"doubts": {**dict.fromkeys(DOUBTS, 1), BEGINS_AGAIN: 0}}, "lanes begin again"),
        ({"in_time": 54}, "concurrent view: 54 of 110"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_what_is_not_proven_is_a_violation(figures: dict[str, Any], told: str) -> None:
    (violation,) = outcome(**figures).violations
    assert violation.startswith("not proven is ")
    assert told in violation


def test_what_workers_did_is_a_violation_too() -> None:
    assert outcome(faults=["worker-1 ended by itself with 1"]).violations == [
        "worker-1 ended by itself with 1"
    ]
