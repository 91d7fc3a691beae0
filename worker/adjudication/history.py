"""How an event changes what is held of its member.

``fold`` knows which claims stand, which are superseded or void, and which days of service an event makes one
decide again. It decides no claim. History is a value: folding makes a new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b, sha256
from typing import Literal, NamedTuple, TypeAlias

from msgspec.structs import replace

from worker.adjudication import kept
from worker.adjudication.claim import (
    Claim,
    ClaimVoided,
    DocumentationReceived,
    Event,
    EventData,
    FrequencyCode,
)
from worker.adjudication.decode import Rejected
from worker.adjudication.held import IDENTITY_BYTES, NO_EVENTS, SEEN_BYTES, Held, History, Standing
from worker.adjudication.redacted import redacted

Change: TypeAlias = Literal["claim", "replacement", "void", "documentation", "expiry"]
"""What an event does to its member's history."""


CHANGES: Mapping[FrequencyCode, Change] = {"1": "claim", "7": "replacement", "8": "void"}


class Limits(NamedTuple):
    """How much of a member is held: what is older is evicted, what does not fit makes its days pend."""

    look_back_days: int = 400
    """Days before the member's newest service date; a claim whose latest one is earlier is evicted."""
    max_bytes: int = 1 << 20
    """Size of a stored history above which no further claim or record is held."""
    max_day_lines: int = 500
    """Lines of claims that meet on the days of service of one event: the time that it takes grows with them,
    and with the square of those that meet on one day."""


@redacted
class Folded(NamedTuple):
    """A history after an event, and what the event asks for."""

    before: History
    """What was held when the event came, without what the look-back has dropped."""
    history: History
    closed: tuple[str, ...]
    """Claims that the event superseded or made void, itself among them where it is one."""
    days: frozenset[int]
    """Days of service on which something has changed."""
    again: tuple[str, ...]
    """Claims to decide, or to decide again; the event's own comes first, the rest in order of place."""
    evicted: int


@redacted
class _Effect(NamedTuple):
    """What an event did to the claims."""

    closed: tuple[str, ...] = ()
    days: frozenset[int] = frozenset()
    """Days of service on which something has changed."""


def fold(
    history: History, event: Event, look_back_days: int, *, hold: bool = True
) -> Folded | Rejected | None:
    """The history after an event; None if the event was seen before.

    Without ``hold`` the claim or the records that the event brings are not kept, and the claim is unheld.
    """
    mark = _mark(event)
    seen = _seen(history, mark[:IDENTITY_BYTES])  # also of a claim that the look-back is about to drop
    if seen is not None:
        if seen == mark[IDENTITY_BYTES:]:
            return None
        return Rejected(
            "id_conflict", "$", "an event of the same source and id came before, with other content"
        )
    current = _within(history, look_back_days)
    claims = {held.claim_id: held for held in current.claims}
    effect = _apply(claims, event, mark, hold=hold)
    if isinstance(effect, Rejected):
        return effect
    again = _again(claims.values(), effect.days, event.data.claim_id)
    evicted = len(history.claims) - len(current.claims)
    return Folded(current, History(tuple(claims.values())), effect.closed, effect.days, again, evicted)


def change_of(data: EventData) -> Change:
    """What kind of change an event is."""
    if isinstance(data, Claim):
        return CHANGES[data.frequency_code]
    if isinstance(data, ClaimVoided):
        return "void"
    return "documentation" if isinstance(data, DocumentationReceived) else "expiry"


def events_digest(history: History) -> str:
    """SHA-256 over the input digests of all events held, sorted: no order of arrival, no stored form."""
    digests = [
        held.seen[at + IDENTITY_BYTES : at + SEEN_BYTES]
        for held in history.claims
        for at in range(0, len(held.seen), SEEN_BYTES)
    ]
    if len(digests) > 1:
        digests.sort()
    return "sha256:" + sha256(b"".join(digests)).hexdigest() if digests else NO_EVENTS


def _within(history: History, look_back_days: int) -> History:
    """The history without claims whose latest service date is too far before the member's newest one.

    A claim that is closed is removed, and its date with it: a mistyped year, once corrected, drops no other.
    """
    if len(history.claims) < 2:
        return history
    open_ = [held.dates[-1] for held in history.claims if held.is_open]
    oldest = max(open_ or [held.dates[-1] for held in history.claims]) - look_back_days
    if all(held.dates[-1] >= oldest for held in history.claims):
        return history
    return History(tuple(held for held in history.claims if held.dates[-1] >= oldest))


def _mark(event: Event) -> bytes:
    """Identity and input digest of an event; the length in front tells where the source ends."""
    name = f"{len(event.source)}:{event.source}{event.id}".encode()
    return blake2b(name, digest_size=IDENTITY_BYTES).digest() + bytes.fromhex(event.digest[7:])


def _seen(history: History, identity: bytes) -> bytes | None:
    """The input digest with which an event of that identity came; None if none did."""
    for held in history.claims:
        at = held.seen.find(identity)
        while at >= 0:
            if at % SEEN_BYTES == 0:
                return held.seen[at + IDENTITY_BYTES : at + SEEN_BYTES]
            at = held.seen.find(identity, at + 1)
    return None


def _again(claims: Iterable[Held], days: frozenset[int], own: str) -> tuple[str, ...]:
    """The open claims of those days, the event's own first; the unheld have nothing to be decided by."""
    asked = [
        held
        for held in claims
        if not days.isdisjoint(held.dates)
        and (held.standing is Standing.STANDS or (held.claim_id == own and held.is_open))
    ]
    if len(asked) > 1:
        asked.sort(key=lambda held: (held.claim_id != own, held.place))
    return tuple(held.claim_id for held in asked)


def _apply(claims: dict[str, Held], event: Event, mark: bytes, *, hold: bool) -> _Effect | Rejected:
    data = event.data
    if isinstance(data, Claim):
        return _submitted(claims, data, mark, hold=hold)
    held = claims.get(data.claim_id)
    if held is None:
        return Rejected("unknown_claim", "$.claim_id", "no such claim is held")
    held = claims[held.claim_id] = replace(held, seen=held.seen + mark)
    if isinstance(data, ClaimVoided):
        return _Effect(*_close(claims, [held], Standing.VOIDED))
    if isinstance(data, DocumentationReceived):
        return _documented(claims, held, kept.records(event.source, event.id, data), hold=hold)
    return _expired(claims, held)


def _submitted(claims: dict[str, Held], claim: Claim, mark: bytes, *, hold: bool) -> _Effect | Rejected:
    if claim.claim_id in claims:
        return Rejected("contract", "$.claim_id", "a claim of that id came before, in another event")
    new = Held(
        claim_id=claim.claim_id,
        frequency=claim.frequency_code,
        original_claim_id=None if claim.frequency_code == "1" else claim.original_claim_id,
        received=claim.received_date.toordinal(),
        inherited=None,
        standing=Standing.STANDS if hold else Standing.UNHELD,
        is_lost=False,
        is_expired=False,
        dates=tuple(sorted({line.service_date.toordinal() for line in claim.lines})),
        seen=mark,
        body=kept.pack(claim) if hold and claim.frequency_code != "8" else b"",
    )
    if new.original_claim_id is None:
        claims[new.claim_id] = new
        return _Effect(days=frozenset(new.dates))
    original = claims.get(new.original_claim_id)
    if original is None:
        return Rejected("unknown_claim", "$.original_claim_id", "no such claim is held")
    if original.frequency == "8":
        return Rejected("contract", "$.original_claim_id", "a void is neither replaced nor made void")
    if new.frequency == "8":
        claims[new.claim_id] = _closed(new, Standing.VOIDED)
        closed, days = _close(claims, [original], Standing.VOIDED)
        return _Effect((new.claim_id, *closed), days)
    return _replace(claims, replace(new, inherited=original.place), original)


def _replace(claims: dict[str, Held], new: Held, original: Held) -> _Effect:
    """Of several replacements of one claim the last by date of receipt and claim id stands (policy §6).

    One that lost stays lost, even when the one before it is made void; so do those that replace it.
    """
    key = (new.received, new.claim_id)
    rivals = [
        held
        for held in claims.values()
        if held.frequency == "7" and held.original_claim_id == original.claim_id
    ]
    new = replace(new, is_lost=original.is_lost or any((one.received, one.claim_id) > key for one in rivals))
    beaten = [one for one in rivals if (one.received, one.claim_id) < key]
    losers = list(_with_replacements(claims.values(), beaten))
    for loser in losers:
        claims[loser.claim_id] = replace(loser, is_lost=True)
    superseded = {one.claim_id: claims[one.claim_id] for one in (original, *losers)}
    closed, days = _close(claims, superseded.values(), Standing.SUPERSEDED)
    if new.is_lost:
        claims[new.claim_id] = _closed(new, Standing.SUPERSEDED)
        return _Effect((new.claim_id, *closed), days)
    claims[new.claim_id] = new
    return _Effect(closed, days | frozenset(new.dates))


def _with_replacements(claims: Iterable[Held], found: list[Held]) -> Iterator[Held]:
    """Some claims, and all that replace one of them through chains.

    A chain may lead back to where it began: an id that the look-back has dropped can come again, as the
    replacement of what once replaced it.
    """
    replacements: dict[str | None, list[Held]] = {}
    for held in claims:
        if held.frequency == "7":
            replacements.setdefault(held.original_claim_id, []).append(held)
    while found:
        yield from found
        found = [one for held in found for one in replacements.pop(held.claim_id, ())]


def _close(
    claims: dict[str, Held], asked: Iterable[Held], standing: Standing
) -> tuple[tuple[str, ...], frozenset[int]]:
    """Close those that are open; which they were, and their days of service."""
    closing = [held for held in asked if held.is_open]
    for held in closing:
        claims[held.claim_id] = _closed(held, standing)
    return tuple(held.claim_id for held in closing), frozenset(day for held in closing for day in held.dates)


def _closed(held: Held, standing: Standing) -> Held:
    return replace(held, standing=standing, dates=held.dates[-1:], records=(), body=b"")


def _documented(claims: dict[str, Held], held: Held, records: kept.Records, *, hold: bool) -> _Effect:
    if held.standing is not Standing.STANDS:
        return _Effect()
    if hold:
        claims[held.claim_id] = replace(held, records=(*held.records, records))
    else:  # with some of its facts missing, nobody can decide it
        claims[held.claim_id] = replace(held, standing=Standing.UNHELD, records=(), body=b"")
    return _Effect(days=frozenset(held.dates))


def _expired(claims: dict[str, Held], held: Held) -> _Effect:
    if held.standing is not Standing.STANDS or held.is_expired:
        return _Effect()
    claims[held.claim_id] = replace(held, is_expired=True)
    return _Effect(days=frozenset(held.dates))
