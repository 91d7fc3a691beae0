"""Generated members: what becomes of a claim follows from the set of a member's events, not from their order.

Two models that know nothing of history say what a set of events must come to. ``plain`` rewrites it as
claims that stand for themselves: each that is in force with all its records, in the place of the claim that
it replaces. ``at_once`` decides such claims a day at a time, without a fold. The soak has more and larger
members.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.adjudication.historykit import (
    NOSE,
    TRUNK,
    UNLISTED,
    Final,
    Json,
    Ledger,
    claim,
    documentation,
    event,
    events,
    expiry,
    final,
    ledger_of,
    ready,
    reference,
    void,
)
from worker.adjudication import Result, encode
from worker.adjudication.claim import DOCUMENTED, EXPIRED, SUBMITTED, VOIDED, Claim, Event
from worker.adjudication.day import decide_day
from worker.adjudication.enrich import enrich
from worker.adjudication.outcome import line_decision, needed
from worker.adjudication.result import LineDecision
from worker.adjudication.service import Rank, Service
from worker.adjudication.stored import read, write

QUICK = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
SOAK = settings(QUICK, max_examples=3000)

# --- members ---

NAMES = ["C1", "C10", "C2", "a", "B", "é", "Z"]
DAYS = [*[""] * 5, " on 2026-04-29"]
PRACTICES = [*[("N", "T")] * 5, ("N", "U"), ("O", "U"), ("O", ""), ("", "T")]
CLAIM_DATES = ["2026-05-01", "2026-05-04", "2026-05-04", "2026-05-09"]
RECORD_DATES = ["2026-05-02", "2026-05-04", "2026-05-04", "2026-05-20"]


def lines(procedures: str, modifiers: str, lesions: str, units: str) -> st.SearchStrategy[list[str]]:
    """Lines of these parts, in short form; a dot is a part that is left out."""
    parts = [procedures.split()]
    for sign, words in (("-", modifiers), (" @", lesions), (" x", units)):
        parts.append(["" if word == "." else sign + word for word in words.split()])
    return st.lists(
        st.builds("{}{}{}{}{}".format, *map(st.sampled_from, parts), st.sampled_from(DAYS)),
        min_size=1,
        max_size=3,
    )


CENTRAL = lines("17311 17311 17311 17312 17315", ". . . 59 XS", "A A A B .", ". . . 2")
PERIPHERAL = lines("17313 17313 17313 17314 17315 17311", ". . . 59 59", "A A A B .", ". . . 2")
SECTIONS = "88305 88305 88331 88332 88332 11102 11102 11103 11104"
BESIDE = lines(f"{SECTIONS} {SECTIONS} 14060 12051 99213 11600 11772 11980 17110 17003", ". . 59 59 25 LT",
               ". . A B B C", ". . . . 3 9")  # fmt: skip
KINDS = {
    "central": (CENTRAL, [[NOSE], [NOSE], ["C44.41"], [UNLISTED]]),
    "peripheral": (PERIPHERAL, [[TRUNK], [TRUNK], [TRUNK], [TRUNK, "Z94.0"], ["C44.612"]]),
    "beside": (BESIDE, [[NOSE]]),
}
"""Lines that are mostly right for the site, and the diagnoses that give it."""

FACTS = st.fixed_dictionaries(
    {"lesion": st.sampled_from(["A", "A", "B"]), "absent": st.sampled_from([True, True, False])},
    optional={
        "site": st.sampled_from(["nose", "trunk", "trunk", "arm", "scalp"]),
        "diameter_cm": st.sampled_from(["1.9", "2.0", "2.1"]),
        "recurrent": st.booleans(),
        "histology": st.sampled_from([[], ["nodular"], ["perineural"]]),
        "direct_involvement": st.sampled_from([[], ["muscle"]]),
        "stages": st.lists(st.sampled_from([0, 1, 5, 6, 8]), max_size=4),
        "null": st.lists(st.sampled_from(["diameter_cm", "recurrent", "site", "stages"]), max_size=3),
    },
)
NEW_FACTS = FACTS.map(lambda lesion: lesion | {"absent": False})
"""Facts that come later say little at a time."""
UNDECIDED = st.just({"undecided": "A"})


def records(facts: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    lesions = st.lists(facts, max_size=2, unique_by=lambda lesion: lesion["lesion"])
    return st.fixed_dictionaries({}, optional={"immunosuppressed": st.booleans(), "lesions": lesions})


@st.composite
def claims(draw: st.DrawFn, claim_id: str, earlier: Sequence[str]) -> Json:
    """An original or, of one of the earlier claims, a replacement or a void."""
    frequency = draw(st.sampled_from("111117778" if earlier else "1"))
    npi, tin = draw(st.sampled_from(PRACTICES))
    billed, diagnoses = KINDS[
        draw(st.sampled_from(["central", "peripheral", "peripheral", "beside", "beside"]))
    ]
    return claim(
        claim_id,
        *draw(billed),
        frequency=frequency,
        original=None if frequency == "1" else draw(st.sampled_from(earlier[:2])),
        received=draw(st.sampled_from(CLAIM_DATES)),
        payer=draw(st.sampled_from(["BCBSND", "BCBSND", "CANDIDACY"])),
        npi=npi,
        tin=tin,
        diagnoses=draw(st.sampled_from(diagnoses)),
        **draw(st.one_of(UNDECIDED, records(FACTS))),
    )


@st.composite
def later(draw: st.DrawFn, claim_ids: Sequence[str]) -> Json:
    """Something that comes for one of the claims."""
    claim_id = draw(st.sampled_from(claim_ids))
    kind = draw(st.sampled_from("dddeeev"))
    if kind == "d":
        return documentation(claim_id, draw(st.sampled_from(RECORD_DATES)), **draw(records(NEW_FACTS)))
    return expiry(claim_id) if kind == "e" else void(claim_id)


@st.composite
def members(draw: st.DrawFn, most: int = 6) -> list[Event]:
    """The events of a member: each claim before the events about it, its id in no order."""
    names = draw(st.permutations(NAMES))[: draw(st.integers(3, most))]
    told: list[Json] = []
    for claim_id in names:
        earlier = [one["claim_id"] for one in told if one["frequency_code"] != "8"]
        told.append(draw(claims(claim_id, earlier)))
    told += draw(st.lists(later(names), max_size=most))
    ids = draw(st.permutations(range(len(told))))
    return [event(one, f"evt-{id_}", f"/{'ab'[id_ % 2]}") for one, id_ in zip(told, ids, strict=True)]


@st.composite
def families(draw: st.DrawFn) -> list[Event]:
    """Claims that mostly replace and void each other; each has a line that competes, on one of two days."""
    told: list[Json] = []
    for claim_id in draw(st.permutations(NAMES)):
        earlier = [one["claim_id"] for one in told if one["frequency_code"] != "8"]
        frequency = draw(st.sampled_from("17777778" if earlier else "1"))
        units, day = draw(st.sampled_from(["5", "6", "10", "11"])), draw(st.sampled_from(DAYS[-2:]))
        original = None if frequency == "1" else draw(st.sampled_from(earlier))
        received = draw(st.sampled_from(CLAIM_DATES))
        told.append(
            claim(claim_id, f"88305 x{units}{day}", frequency=frequency, original=original, received=received)
        )
    told += [void(claim_id) for claim_id in draw(st.lists(st.sampled_from(NAMES), max_size=3))]
    return events(*told)


def shuffled(told: Sequence[Event], turns: Sequence[int]) -> list[Event]:
    """The events by their turns, each claim still before the events about it."""
    done: list[int] = []
    while len(done) < len(told):
        done.append(min(ready(told, done), key=lambda place: turns[place]))
    return [told[place] for place in done]


def in_some_order(told: list[Event]) -> st.SearchStrategy[tuple[list[Event], list[Event]]]:
    """The events in the order in which they are told, and in another that may be."""
    return st.permutations(range(len(told))).map(lambda turns: (told, shuffled(told, turns)))


MEMBERS = members()
MORE = members(most=len(NAMES))

# --- what a set of events must come to ---


class Plain(NamedTuple):
    """A member's claims that are in force, as if they had been sent once, whole, in their place."""

    told: list[Event]
    names: Mapping[str, str]
    """The claim in force, by the claim in whose place it stands."""


def plain(told: Sequence[Event]) -> Plain:
    """The events as claims that stand for themselves, and expiries (policy §6, Replacement to Expiry)."""
    submitted = {one.data.claim_id: one.data for one in told if isinstance(one.data, Claim)}
    void_ = {one.data.claim_id for one in told if one.type == VOIDED}
    void_ |= {str(one.original_claim_id) for one in submitted.values() if one.frequency_code == "8"}
    expired = {one.data.claim_id for one in told if one.type == EXPIRED}
    names, rewritten = {}, []
    for root in (one for one in submitted.values() if one.frequency_code == "1"):
        standing = _last_word(root, submitted)
        if standing.claim_id not in void_:
            names[root.claim_id] = standing.claim_id
            rewritten.append(_in_place_of(root, standing, told))
    ends = [expiry(root) for root, standing in names.items() if standing in expired]
    return Plain(events(*rewritten, *ends), names)


def _last_word(root: Claim, submitted: Mapping[str, Claim]) -> Claim:
    """What replaces the claim in the end: of several replacements the last received, and on from that."""
    found = [
        one
        for one in submitted.values()
        if one.frequency_code == "7" and one.original_claim_id == root.claim_id
    ]
    if not found:
        return root
    return _last_word(max(found, key=lambda one: (one.received_date, one.claim_id)), submitted)


def _in_place_of(root: Claim, standing: Claim, told: Sequence[Event]) -> Json:
    """The claim in force with all its records, as an original in the place of the first one."""
    data: Json = orjson.loads(orjson.dumps(standing, default=_plain_value))
    data |= {
        "claim_id": root.claim_id,
        "frequency_code": "1",
        "original_claim_id": None,
        "received_date": root.received_date.isoformat(),
        "documentation": _merged(standing, told),
    }
    return data


def _plain_value(value: Any) -> Json:
    return {name: getattr(value, name) for name in value.__struct_fields__}


def _merged(standing: Claim, told: Sequence[Event]) -> Json | None:
    """By date of receipt, source and id, the claim's own first on its date; the unknown replaces nothing."""
    parts: list[tuple[Any, Any]] = [((standing.received_date, 0), standing.documentation)]
    for one in told:
        if one.type == DOCUMENTED and one.data.claim_id == standing.claim_id:
            data: Any = one.data
            parts.append(((data.received_date, 1, one.source, one.id), data.documentation))
    merged: Json = {}
    lesions: dict[str, Json] = {}
    for _, part in sorted(parts, key=lambda one: one[0]):
        if part is None:
            continue
        if part.immunosuppressed is not None:
            merged["immunosuppressed"] = part.immunosuppressed
        if part.lesions is not None:
            merged["lesions"] = None
        for lesion in part.lesions or ():
            stated = {fact: value for fact, value in _plain_value(lesion).items() if value is not None}
            lesions[lesion.lesion] = lesions.get(lesion.lesion, {}) | stated
    if "lesions" in merged:
        merged["lesions"] = [
            orjson.loads(orjson.dumps(one, default=_plain_value)) for one in lesions.values()
        ]
    return merged


def renamed(result: Result, names: Mapping[str, str]) -> Final:
    """The decision, with other claims called by the names of those that stand in their place."""
    said = final(result)
    lines = orjson.loads(said.lines)
    for finding in (finding for line in lines for finding in line["findings"]):
        evidence = finding["evidence"]
        if "other_claim" in evidence:
            evidence["other_claim"] = names[evidence["other_claim"]]
    return said._replace(lines=orjson.dumps(lines))


def at_once(told: Sequence[Event]) -> dict[str, tuple[bytes, Any]]:
    """Claims that stand for themselves, decided day by day over all of them: lines and facts needed."""
    submitted = [one.data for one in told if isinstance(one.data, Claim)]
    ruled: dict[tuple[str, int], Service] = {}
    for day in {line.service_date for one in submitted for line in one.lines}:
        services = [service for one in submitted for service in _services(one, day)]
        decide_day(services, day)
        ruled |= {(service.claim.claim_id, service.line.line): service for service in services}
    found = {}
    for one in submitted:
        services = [ruled[one.claim_id, line.line] for line in one.lines]
        found[one.claim_id] = (_bytes([line_decision(each) for each in services]), needed(services))
    return found


def _services(one: Claim, day: date) -> list[Service]:
    book, tables = reference().rulebook(one.payer_id, day), reference().code_sets.on(day)
    rank = Rank(one.received_date, one.claim_id)
    return [enrich(one, line, rank, book, tables) for line in one.lines if line.service_date == day]


def _bytes(lines: Sequence[LineDecision]) -> bytes:
    """Decisions as bytes, without the finding that they were changed."""
    return orjson.dumps(
        [
            [line.line, line.decision, line.units_allowed]
            + [[one.group, one.carc, *one.rarc] for one in line.adjustments]
            + [one.encoded for one in line.findings if one.rule != "history.readjudicated"]
            for line in lines
        ]
    )


# --- what is held to be true of them ---


def check_that_order_does_not_matter(told: list[Event], otherwise: list[Event]) -> None:
    one, other = ledger_of(told), ledger_of(otherwise)
    assert one.finals() == other.finals()
    assert set(one.published) == {what.data.claim_id for what in told}


def check_that_the_set_decides(told: list[Event]) -> None:
    ledger, (rewritten, names) = ledger_of(told), plain(told)
    published = ledger_of(rewritten).published
    assert {names[root]: renamed(result, names) for root, result in published.items()} == {
        claim_id: said for claim_id, said in ledger.finals().items() if claim_id in names.values()
    }
    for claim_id, result in ledger.published.items():
        if claim_id not in names.values():
            assert (result.outcome, result.lines, result.documentation_needed) == ("void", (), ())
    if all(what.type == SUBMITTED for what in rewritten):
        assert {one: (_bytes(said.lines), said.documentation_needed) for one, said in published.items()} == (
            at_once(rewritten)
        )


def check_that_expired_claims_wait_for_no_records(told: list[Event]) -> None:
    expired = {what.data.claim_id for what in told if what.type == EXPIRED}
    for claim_id, result in ledger_of(told).published.items():
        codes = {one.carc for line in result.lines for one in line.adjustments}
        if claim_id in expired:
            assert result.documentation_needed == ()
        else:
            assert "226" not in codes


def check_that_copies_change_nothing(told: list[Event]) -> None:
    ledger = Ledger()
    for count, what in enumerate(told):
        ledger = ledger.after(what)
        for copy in (what, told[count // 2]):
            again = ledger.after(copy)
            assert again.history == ledger.history
            assert {one: encode(said) for one, said in again.published.items()} == (
                {one: encode(said) for one, said in ledger.published.items()}
            )


def check_that_the_state_says_all(told: list[Event]) -> None:
    ledger = Ledger()
    for what in told:
        ledger = ledger.after(what)
        assert ledger.history is not None
        assert write(read(ledger.history)) == ledger.history
    assert ledger_of(told).history == ledger.history


@QUICK
@given(MEMBERS.flatmap(in_some_order))
def test_two_orders_of_a_members_events_end_in_the_same_decisions(
    both: tuple[list[Event], list[Event]],
) -> None:
    check_that_order_does_not_matter(*both)


@QUICK
@given(MEMBERS)
def test_a_members_decisions_are_those_of_the_claims_in_force_with_all_their_records(
    told: list[Event],
) -> None:
    check_that_the_set_decides(told)


@QUICK
@given(families().flatmap(in_some_order))
def test_of_claims_that_replace_each_other_the_same_stand_in_every_order(
    both: tuple[list[Event], list[Event]],
) -> None:
    check_that_order_does_not_matter(*both)
    check_that_the_set_decides(both[1])


@QUICK
@given(MEMBERS)
def test_an_expired_claim_waits_for_no_records_and_no_other_claim_is_denied_for_time(
    told: list[Event],
) -> None:
    check_that_expired_claims_wait_for_no_records(told)


@QUICK
@given(MEMBERS)
def test_copies_of_events_publish_and_store_nothing(told: list[Event]) -> None:
    check_that_copies_change_nothing(told)


@QUICK
@given(MEMBERS)
def test_a_state_is_read_back_whole_and_is_the_same_for_the_same_order(told: list[Event]) -> None:
    check_that_the_state_says_all(told)


@pytest.mark.soak
@SOAK
@given(MORE.flatmap(in_some_order))
def test_two_orders_of_many_events_end_in_the_same_decisions(both: tuple[list[Event], list[Event]]) -> None:
    told, otherwise = both
    check_that_order_does_not_matter(told, otherwise)
    check_that_the_set_decides(otherwise)
    check_that_expired_claims_wait_for_no_records(told)
