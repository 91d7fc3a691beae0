"""What a file of events comes to for one claim: its last result, and how it was decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import NamedTuple

import orjson

from worker.adjudication import Change, Limits, Reference, Rejected, Result, decode, stored
from worker.adjudication.claim import Event
from worker.adjudication.decide import READJUDICATED
from worker.adjudication.held import Held, Standing
from worker.adjudication.member import Member, Ruled
from worker.adjudication.outcome import line_decision
from worker.adjudication.redacted import redacted
from worker.adjudication.result import LineDecision
from worker.adjudication.service import Service
from worker.commands.faults import tell
from worker.commands.folding import Members
from worker.commands.reading import Source, reading

BATCH = 32
"""Lines that are read together."""


@redacted
class Case(NamedTuple):
    """A claim of a member after all events of a file."""

    result: Result
    """The last one."""
    event: Event
    """What brought it about."""
    change: Change
    """What that event did to the member's history."""
    held: Held
    """What is held of the claim in the end, or was last."""
    is_evicted: bool
    """Whether the look-back has dropped it since."""
    ruled: Ruled | None
    """All that every rule said; None when the claim does not count, or there was no room to hold it."""

    @property
    def services(self) -> list[Service]:
        """Its lines with the rulings on them, as far as they are known."""
        return self.ruled.services if self.ruled else []

    @property
    def is_untraceable(self) -> bool:
        """Whether it counts and nobody can say how it was decided, since its content is not held."""
        return self.ruled is None and self.held.is_open


@redacted
class Found(NamedTuple):
    """The claim with that id of each member who has one, and how many lines could be any claim's."""

    cases: list[Case]
    unread: int


@redacted
class _Said(NamedTuple):
    """A result with what brought it about, and the stored history from which it was decided."""

    result: Result
    event: Event
    change: Change
    state: bytes


def find_cases(file: str, claim_id: str, reference: Reference, limits: Limits) -> Found:
    """Fold the file's events and find the claim; its events that are rejected are told on standard error.

    A regular file is read more than once, so as to decide only the events of the claim's members.
    """
    with reading(file) as source:
        if file == "-" or not source.size:
            return _folded(_events(source), claim_id, reference, limits)
        member_ids = {
            event.data.member_id
            for _, event in _events(source, _mentions([claim_id]))
            if not isinstance(event, Rejected) and event.data.claim_id == claim_id
        }
    if member_ids:
        with reading(file) as source:
            theirs = (
                (number, event)
                for number, event in _events(source, _mentions(member_ids))
                if not isinstance(event, Rejected) and event.data.member_id in member_ids
            )
            found = _folded(theirs, claim_id, reference, limits)
        if found.cases:
            return found
    with reading(file) as source:
        return Found([], sum(isinstance(event, Rejected) for _, event in _events(source)))


def _mentions(ids: Iterable[str]) -> Callable[[bytes], bool]:
    """Whether a line can have one of the ids: in JSON without escapes they are there byte for byte."""
    needles = [*(id_.encode(errors="surrogateescape") for id_ in ids), b"\\"]
    return lambda line: any(needle in line for needle in needles)


def _events(
    source: Source, wanted: Callable[[bytes], bool] | None = None
) -> Iterator[tuple[int, Event | Rejected]]:
    """The events of the lines that are wanted, or all, with the lines' numbers; blank lines have none."""
    for number, line in chain.from_iterable(source.batches(BATCH)):
        if (wanted is None or wanted(line)) and line.strip():
            yield number, decode(line.rstrip(b"\r\n"))


def _folded(
    events: Iterable[tuple[int, Event | Rejected]], claim_id: str, reference: Reference, limits: Limits
) -> Found:
    members = Members(reference, limits)
    last: dict[str, _Said] = {}
    unread = 0
    for number, event in events:
        if isinstance(event, Rejected):
            unread += 1
            continue
        member_id = event.data.member_id
        answer = members.adjudicate(event)
        if not isinstance(answer, Rejected):
            for result in answer.results:
                if result.claim_id == claim_id:
                    last[member_id] = _Said(result, event, answer.change, members.state_of(member_id))
        elif event.data.claim_id == claim_id:
            tell(f"line {number}: {answer.reason} at {answer.path}: {answer.message}")
    cases = [_case(said, members.state_of(member_id), reference) for member_id, said in last.items()]
    return Found(cases, unread)


def _case(said: _Said, final: bytes, reference: Reference) -> Case:
    """The claim as its member's history holds it in the end, or if it does no more, when it was decided."""
    held = _held(final, said.result.claim_id)
    then = _held(said.state, said.result.claim_id)
    if then is None:
        raise TypeError("a claim that has just been decided is held")
    ruled = _ruled(final, said.result, reference) or _ruled(said.state, said.result, reference)
    return Case(said.result, said.event, said.change, held or then, held is None, ruled)


def _held(state: bytes, claim_id: str) -> Held | None:
    return next((held for held in stored.read(state).claims if held.claim_id == claim_id), None)


def _ruled(state: bytes, result: Result, reference: Reference) -> Ruled | None:
    """The rulings that make this result with that history; None when they no longer do.

    They do not when the claim has been closed or dropped, or another one of its days has been dropped.
    """
    held = _held(state, result.claim_id)
    if held is None or held.standing is not Standing.STANDS:
        return None
    member = Member(stored.read(state))
    ruled = member.rule([result.claim_id], reference, traced=True)[result.claim_id]
    said = [_words(line_decision(service)) for service in ruled.services]
    return ruled if said == [_words(line) for line in result.lines] else None


def _words(line: LineDecision) -> tuple[object, ...]:
    findings = [finding.encoded for finding in line.findings if finding.rule != READJUDICATED]
    return line.decision, line.units_allowed, line.adjustments, orjson.dumps(findings)
