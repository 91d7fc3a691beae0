"""The steps composed once: an event, what is held of its member, and the reference data in; results out."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import NamedTuple

import orjson
from msgspec.structs import replace

from worker.adjudication import stored
from worker.adjudication.cite import find
from worker.adjudication.claim import MAX_LINES, Claim, Event
from worker.adjudication.decode import Rejected
from worker.adjudication.encode import id_of, result_id_of
from worker.adjudication.held import (
    EMPTY,
    LETTERS,
    MARK_BYTES,
    NOTHING_PUBLISHED,
    Held,
    History,
    Published,
    Standing,
    mark_of,
)
from worker.adjudication.history import Change, Folded, Limits, change_of, events_digest, fold
from worker.adjudication.kept import unpack
from worker.adjudication.member import Member, Ruled, rule_alone
from worker.adjudication.outcome import line_decision, needed, outcome_of
from worker.adjudication.redacted import redacted
from worker.adjudication.reference import Reference
from worker.adjudication.result import Basis, Cause, LineDecision, Needed, Outcome, Result
from worker.adjudication.rulebook import MEMO_LIMIT

DEFAULT_LIMITS = Limits()
READJUDICATED = "history.readjudicated"
"""The rule that names the claim which changed a decision."""

FULL = Rejected("too_large", "$.member_id", "the member's history is full, at twice its cap")


@redacted
class Adjudicated(NamedTuple):
    """What an event brings about."""

    results: tuple[Result, ...]
    """That of its own claim first, then of claims that it closed, then of others that it changes."""
    history: bytes | None
    """What is held of the member from now on, as it is stored; None when the event was seen before."""
    change: Change
    again: int
    """How many of the results are decisions of a claim that had one before."""
    evicted: int
    """Claims that the look-back has dropped from the history."""


def adjudicate(
    event: Event, history: bytes | None, reference: Reference, limits: Limits = DEFAULT_LIMITS
) -> Adjudicated | Rejected:
    """Decide an event with what is held of its member: None, or what the event before it has left.

    The same event, history, policies, code sets and limits give the same results. For a rejected event the
    history stays as it is, and an event is rejected that would make it larger than twice its cap. Raises
    ``stored.UnknownVersion`` on a history of another format.
    """
    before = EMPTY if history is None else stored.read(history)
    change = change_of(event.data)
    for hold, most in ((True, limits.max_bytes), (False, 2 * limits.max_bytes)):
        folded = fold(before, event, limits.look_back_days, hold=hold)
        if folded is None:
            return Adjudicated((), None, change, 0, 0)
        if isinstance(folded, Rejected):
            return folded
        if hold and _is_crowded(folded, event, limits.max_day_lines):
            continue
        results, after = _decide(event, folded, reference)
        state = stored.write(after)
        if len(state) <= most:
            again = sum([result.revision > 1 for result in results])
            return Adjudicated(results, state, change, again, folded.evicted)
    return FULL


def adjudicate_alone(event: Event, reference: Reference) -> Result | Rejected:
    """Decide a claim by itself, without history: what is about another claim is rejected."""
    claim = event.data
    if not isinstance(claim, Claim) or claim.frequency_code != "1":
        asked = "original_claim_id" if isinstance(claim, Claim) else "claim_id"
        return Rejected("unknown_claim", f"$.{asked}", "no such claim is held")
    ruled = rule_alone(claim, reference)
    said = _said(ruled)
    return _result(event, claim.claim_id, said, NOTHING_PUBLISHED, reference.basis(ruled.in_force))


def standing(event: Event, history: bytes, claim_id: str, reference: Reference) -> Result | None:
    """What was said last of a claim, decided once more from what is held after ``event``.

    For a claim of which the event has brought nothing new, beside one that says something else of it. None
    where the claim is not in force or its content is not held.
    """
    found = stored.read(history)
    held = next((one for one in found.claims if one.claim_id == claim_id), None)
    if held is None or held.standing is not Standing.STANDS:
        return None
    ruled = Member(found).rule([claim_id], reference)[claim_id]
    former = replace(held.published, revision=held.published.revision - 1, result_id=bytes(16))
    return _result(
        event, claim_id, _said(ruled), former, reference.basis(ruled.in_force, events_digest(found))
    )


@redacted
class _Said(NamedTuple):
    """What a result says of a claim."""

    outcome: Outcome
    lines: tuple[LineDecision, ...]
    needed: tuple[Needed, ...]


VOID = _Said("void", (), ())


def _said(ruled: Ruled) -> _Said:
    outcome = outcome_of(ruled.services)
    lines = tuple([line_decision(service) for service in ruled.services])
    return _Said(outcome, lines, needed(ruled.services) if outcome == "pend" else ())


def _is_crowded(folded: Folded, event: Event, most: int) -> bool:
    """Whether more lines than that meet on the days of service that the event makes one decide."""
    if len(folded.again) * MAX_LINES <= most:
        return False
    again = frozenset(folded.again)
    meeting = 0
    for held in folded.history.claims:
        if held.claim_id in again:
            fresh = event.data if isinstance(event.data, Claim) else None
            claim = fresh if fresh and fresh.claim_id == held.claim_id else unpack(held.body)
            meeting += sum(line.service_date.toordinal() in folded.days for line in claim.lines)
    return meeting > most


def _decide(event: Event, folded: Folded, reference: Reference) -> tuple[tuple[Result, ...], History]:
    """The results that are new, and the history that knows of them."""
    held = {one.claim_id: one for one in folded.history.claims}
    ruled = _ruled(event, folded, held, reference)
    digest = events_digest(folded.before)
    results = []
    for claim_id in _in_order(folded, event.data.claim_id):
        former = held[claim_id].published
        if claim_id in folded.closed:
            said, marks, basis = VOID, b"", reference.basis((), digest)
        elif claim_id in ruled:
            said = _said(ruled[claim_id])
            marks = _marks(said)
            if marks == former.lines:
                continue
            if former.revision:
                said = _explained(said, ruled[claim_id], former.lines, marks, event)
            basis = reference.basis(ruled[claim_id].in_force, digest)
        else:
            continue
        result = _result(event, claim_id, said, former, basis)
        result_id = bytes.fromhex(result.result_id.replace("-", ""))
        published = Published(result.revision, result_id, said.outcome, marks)
        held[claim_id] = replace(held[claim_id], published=published)
        results.append(result)
    return tuple(results), History(tuple(held.values()))


def _ruled(event: Event, folded: Folded, held: Mapping[str, Held], reference: Reference) -> dict[str, Ruled]:
    """The rulings on the claims to decide again, without those that the event leaves as they were.

    The event can change nothing on other days. So a claim that has lines there too is ruled on as a whole
    only if something on these days has changed: days hang together through such claims, in long chains.
    """
    fresh = event.data if isinstance(event.data, Claim) else None
    member = Member(folded.history, fresh, folded.before)
    ruled = member.rule(folded.again, reference, folded.days)
    spread = [claim_id for claim_id in folded.again if not folded.days.issuperset(held[claim_id].dates)]
    if spread:
        changed = [one for one in spread if _has_changed(ruled.pop(one), held[one].published, folded.days)]
        ruled.update(member.rule(changed, reference))
    return ruled


def _has_changed(ruled: Ruled, former: Published, days: frozenset[int]) -> bool:
    """Whether on these days anything is said of the claim's lines that was not said before."""
    marks = [
        mark_of(former.lines, number)
        for number, line in enumerate(ruled.claim.lines)
        if line.service_date.toordinal() in days
    ]
    return _marks(_said(ruled)) != b"".join(marks)


def _in_order(folded: Folded, own: str) -> tuple[str, ...]:
    """The event's own claim, then those that it closed, then the rest, which are in the order of place."""
    if not folded.closed:
        return folded.again
    asked = (*folded.closed, *folded.again)
    return tuple(sorted(asked, key=lambda claim_id: claim_id != own))


def _marks(said: _Said) -> bytes:
    """What a history keeps of a decision: a letter and a digest a line, over all that was said of it."""
    needed = {one.line: one for one in said.needed} if said.needed else {}
    return b"".join([LETTERS[line.decision] + _digest(line, needed.get(line.line)) for line in said.lines])


def _digest(line: LineDecision, needed: Needed | None) -> bytes:
    content = [finding.json for finding in line.findings]
    if line.adjustments or needed is not None:
        codes = [(one.group, one.carc, one.rarc) for one in line.adjustments]
        asked = None if needed is None else (needed.lesion, needed.facts)
        content.append(orjson.dumps((line.units_allowed, codes, asked)))
    key = tuple(content)
    digest = _digests.get(key)
    if digest is None:
        digest = blake2b(b"".join(content), digest_size=MARK_BYTES - 1).digest()
        if len(_digests) >= MEMO_LIMIT:
            _digests.clear()
        _digests[key] = digest
    return digest


_digests: dict[tuple[bytes, ...], bytes] = {}
"""Of what was said before; most of it recurs. A memo, so forgetting changes nothing but speed."""


def _explained(said: _Said, ruled: Ruled, former: bytes, marks: bytes, event: Event) -> _Said:
    """The same, with a finding on each line that changed: which claim it was that changed it."""
    evidence = (("claim", event.data.claim_id), ("event", event.type))
    reason = "It was decided again because of a later event."
    lines = []
    for number, (line, service) in enumerate(zip(said.lines, ruled.services, strict=True)):
        if mark_of(former, number) != mark_of(marks, number):
            text = service.book.text(READJUDICATED)
            finding = find(READJUDICATED, text, "satisfied", evidence, reason)
            lines.append(replace(line, findings=(*line.findings, finding)))
        else:
            lines.append(line)
    return said._replace(lines=tuple(lines))


def _result(event: Event, claim_id: str, said: _Said, former: Published, basis: Basis) -> Result:
    revision = former.revision + 1
    cause = Cause(event.source, event.id, event.type)
    return Result(
        result_id=result_id_of(claim_id, revision, cause, basis.digest, basis.history_digest),
        claim_id=claim_id,
        member_id=event.data.member_id,
        revision=revision,
        supersedes=id_of(former.result_id) if former.revision else None,
        outcome=said.outcome,
        cause=cause,
        lines=said.lines,
        documentation_needed=said.needed,
        basis=basis,
        input_digest=event.digest,
    )
