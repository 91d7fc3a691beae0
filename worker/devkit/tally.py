"""What the demo has sent and what has come back: counts, waiting times, and whether anything is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

TELLING = ("partial", "deny", "pend", "pay", "out_of_scope")
"""Outcomes, the one most worth explaining first."""


class Tally:
    """Results and dead letters of the records that were sent. Times are monotonic seconds."""

    def __init__(self) -> None:
        self.sent: dict[str, float] = {}
        """When each claim was sent, by claim id."""
        self.sent_bad = 0
        self.results: Counter[str] = Counter()
        """Results by claim id: one each, when all is well."""
        self.outcomes: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        """The first claim by id of each outcome, so that every run explains the same one."""
        self.denials: Counter[tuple[str, str]] = Counter()
        """Denied lines by group and CARC."""
        self.needed: Counter[str] = Counter()
        """Claims that wait for a fact, by fact."""
        self.dead_letters: Counter[str] = Counter()
        self.waits: list[float] = []
        """Seconds from sending a claim to reading its result."""

    def result(self, result: Mapping[str, Any], now: float) -> None:
        """Count a result."""
        claim_id, outcome = result["claim_id"], result["outcome"]
        self.results[claim_id] += 1
        self.outcomes[outcome] += 1
        self.examples[outcome] = min(claim_id, self.examples.get(outcome, claim_id))
        self.denials.update(
            (adjustment["group"], adjustment["carc"])
            for line in result["lines"]
            if line["decision"] == "deny"
            for adjustment in line["adjustments"]
        )
        self.needed.update({fact for need in result["documentation_needed"] for fact in need["facts"]})
        if claim_id in self.sent:
            self.waits.append(now - self.sent[claim_id])

    def dead_letter(self, reason: str) -> None:
        """Count a dead letter."""
        self.dead_letters[reason] += 1

    @property
    def answered(self) -> int:
        """Records that have become a result or a dead letter."""
        return len(self.results) + self.dead_letters.total()

    @property
    def complete(self) -> bool:
        """Whether every record that was sent has been answered."""
        return self.answered >= len(self.sent) + self.sent_bad

    @property
    def fault(self) -> str | None:
        """What is wrong: None when each claim has one result, and each bad record one dead letter."""
        lost = sum(claim_id not in self.results for claim_id in self.sent)
        twice = sum(count > 1 for count in self.results.values())
        dead = self.dead_letters.total()
        if lost or twice or dead != self.sent_bad:
            return (
                f"of {len(self.sent)} claims {lost} have no result and {twice} more than one; "
                f"{dead} dead letters for {self.sent_bad} bad records"
            )
        return None

    @property
    def telling_claim(self) -> str:
        """The claim most worth explaining."""
        return next(self.examples[outcome] for outcome in TELLING if outcome in self.examples)

    def wait(self, share: float) -> float:
        """The wait in seconds below which ``share`` of the claims lie."""
        return sorted(self.waits)[min(len(self.waits) - 1, int(share * len(self.waits)))]
