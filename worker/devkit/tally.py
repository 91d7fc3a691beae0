"""What the demo has sent and what has come back: counts, waiting times, and whether it is as expected."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple, TypeAlias

import orjson

from worker.adjudication.claim import DOCUMENTED, EXPIRED, SUBMITTED, VOIDED
from worker.devkit.claims import Event
from worker.devkit.oracle import Expected, ResultKey

Result: TypeAlias = dict[str, Any]

TELLING = ("partial", "deny", "pend", "pay", "out_of_scope")
"""Outcomes, the one most worth explaining first."""


FREQUENCIES = {"1": "claim", "7": "replacement", "8": "void"}
KINDS = {VOIDED: "void", DOCUMENTED: "documentation", EXPIRED: "expiry"}


class Sent(NamedTuple):
    """An event, and the monotonic second at which it was sent first."""

    event: Event
    at: float


class Change(NamedTuple):
    """Two results of a claim, one after the other, and the event that brought about the second."""

    before: Result
    after: Result
    cause: Event


def kind_of(event: Event) -> str:
    """What kind of event it was, by the words of the metric of re-adjudications."""
    if event["type"] == SUBMITTED:
        return FREQUENCIES[event["data"]["frequency_code"]]
    return KINDS[event["type"]]


class Tally:
    """Results and dead letters that were read, beside what is expected. Times are monotonic seconds."""

    def __init__(self, expected: Expected) -> None:
        self.expected = expected
        self.sent: dict[str, Sent] = {}
        """What was sent, by event id."""
        self.results: dict[str, dict[int, Result]] = {}
        """The results of each claim, by revision."""
        self.dead_letters: Counter[str] = Counter()
        self.waits: list[float] = []
        """Seconds from sending an event to reading each of its results."""
        self._read: Counter[ResultKey] = Counter()
        self._unlike = 0

    def send(self, event: Event, now: float) -> None:
        """Note that an event is on its way; one that is sent twice counts from the first time."""
        self.sent.setdefault(event["id"], Sent(event, now))

    def result(self, value: bytes, now: float) -> None:
        """Count a result."""
        result: Result = orjson.loads(value)
        key = (result["claim_id"], result["revision"])
        self._read[key] += 1
        self._unlike += self.expected.results.get(key) != value
        self.results.setdefault(key[0], {})[key[1]] = result
        cause = self.sent.get(result["cause"]["id"])
        if cause is not None:
            self.waits.append(now - cause.at)

    def dead_letter(self, reason: str) -> None:
        """Count a dead letter."""
        self.dead_letters[reason] += 1

    @property
    def answered(self) -> int:
        """Results and dead letters that were read."""
        return self._read.total() + self.dead_letters.total()

    @property
    def complete(self) -> bool:
        """Whether as many answers were read as are expected."""
        return self.answered >= self.expected.answers

    @property
    def fault(self) -> str | None:
        """What is wrong: None when each expected answer was read once, and no other."""
        lost = len(self.expected.results.keys() - self._read.keys())
        twice = sum(count > 1 for count in self._read.values())
        if not (lost or twice or self._unlike) and self.dead_letters == self.expected.dead_letters:
            return None
        return (
            f"of {len(self.expected.results)} results {lost} are missing, {twice} came more than once and "
            f"{self._unlike} are not as decided without Kafka; {self.dead_letters.total()} dead letters for "
            f"{self.expected.dead_letters.total()} bad records"
        )

    @property
    def latest(self) -> list[Result]:
        """The result of each claim that holds: its last one."""
        return [revisions[max(revisions)] for revisions in self.results.values()]

    @property
    def outcomes(self) -> Counter[str]:
        """Claims by outcome."""
        return Counter(result["outcome"] for result in self.latest)

    @property
    def denials(self) -> Counter[tuple[str, str]]:
        """Denied lines by group and CARC."""
        return Counter(
            (adjustment["group"], adjustment["carc"])
            for result in self.latest
            for line in result["lines"]
            if line["decision"] == "deny"
            for adjustment in line["adjustments"]
        )

    @property
    def needed(self) -> Counter[str]:
        """Claims that wait for a fact, by fact."""
        waiting = [result["documentation_needed"] for result in self.latest]
        return Counter(
            fact for needs in waiting for fact in {fact for need in needs for fact in need["facts"]}
        )

    @property
    def claims(self) -> dict[str, dict[str, Any]]:
        """The data of each claim that was sent, by claim id."""
        events = [sent.event for sent in self.sent.values() if sent.event["type"] == SUBMITTED]
        return {event["data"]["claim_id"]: event["data"] for event in events}

    @property
    def changes(self) -> list[Change]:
        """Every decision that was made again, claim by claim."""
        return [
            Change(
                revisions[revision - 1],
                revisions[revision],
                self.sent[revisions[revision]["cause"]["id"]].event,
            )
            for revisions in self.results.values()
            for revision in sorted(revisions)
            if revision - 1 in revisions
        ]

    @property
    def again(self) -> Counter[str]:
        """Decisions that were made again, by what kind of event made them so."""
        return Counter(kind_of(change.cause) for change in self.changes)

    def telling_claim(self, among: set[str]) -> str:
        """The one of these claims that is most worth explaining, the same in every run."""
        asked = ((one["outcome"], str(one["claim_id"])) for one in self.latest if one["claim_id"] in among)
        return min((TELLING.index(outcome), claim_id) for outcome, claim_id in asked)[1]

    def wait(self, share: float) -> float:
        """The wait in seconds below which ``share`` of the results lie."""
        return sorted(self.waits)[min(len(self.waits) - 1, int(share * len(self.waits)))]
