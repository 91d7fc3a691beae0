"""Where a rule is written, and a finding that says so."""

from __future__ import annotations

from typing import NamedTuple

import orjson

from worker.adjudication.finding import Evidence, Finding, Verdict
from worker.adjudication.policy import Adjustment


class RuleText(NamedTuple):
    """Where a rule is written, and the reason codes it denies and pends with."""

    policy: str
    version: str
    citation: str
    deny: Adjustment | None
    pend: Adjustment


def find(rule: str, text: RuleText, verdict: Verdict, evidence: Evidence, reason: str) -> Finding:
    """Make a finding, its JSON included (keys in the contract's order)."""
    shown = dict(evidence)
    json = orjson.dumps(
        {
            "rule": rule,
            "verdict": verdict,
            "policy": text.policy,
            "version": text.version,
            "citation": text.citation,
            "evidence": shown,
            "reason": reason,
        }
    )
    return Finding(
        rule,
        verdict,
        text.policy,
        text.version,
        text.citation,
        shown,
        reason,
        json,
        orjson.Fragment(json),
    )
