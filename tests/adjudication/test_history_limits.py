"""How much of a member is held: look-back, size, lines that meet. No decision is wrong for want of it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from tests.adjudication.historykit import (
    READJUDICATED,
    TRUNK,
    Json,
    Ledger,
    claim,
    decided,
    documentation,
    event,
    events,
    expiry,
    ledger_of,
    reference,
    rejected,
    void,
)
from worker.adjudication import Adjudicated, Limits, Rejected, Result, adjudicate, member
from worker.adjudication.claim import Claim, Event, Line
from worker.adjudication.enrich import enrich
from worker.adjudication.service import Service

CAPACITY = "history.capacity"


def days_after(days: int) -> str:
    """A date so many days after 2025-01-10."""
    return (date(2025, 1, 10) + timedelta(days=days)).isoformat()


# --- look-back ---


def held_over(days: int, *first: str, limits: Limits = Limits()) -> Ledger:
    """A claim A with these lines, then a claim B served so many days after 2025-01-10."""
    lines = first or (f"17311 @A on {days_after(0)}",)
    return ledger_of(events(claim("A", *lines), claim("B", f"14060 on {days_after(days)}")), limits)


@pytest.mark.parametrize(("days", "evicted"), [(400, 0), (401, 1)])
def test_a_claim_is_held_for_400_days_before_the_members_newest_service(days: int, evicted: int) -> None:
    ledger = held_over(days)
    answer = decided(event(claim("C", f"14040 on {days_after(200)}"), "evt-x"), ledger.history)
    assert answer.evicted == evicted
    after = event(void("A"), "evt-y")
    if evicted:
        assert rejected(after, ledger.history).reason == "unknown_claim"
        assert rejected(after, answer.history).reason == "unknown_claim"
    else:
        assert [one.outcome for one in decided(after, answer.history).results] == ["void"]


def test_the_look_back_is_a_limit_like_others() -> None:
    for days, evicted in ((30, 0), (31, 1)):
        limits = Limits(look_back_days=30)
        ledger = held_over(days, limits=limits)
        assert decided(event(void("B"), "evt-x"), ledger.history, limits).evicted == evicted


def test_a_claim_is_held_by_its_latest_day_of_service() -> None:
    lines = (f"17311 @A on {days_after(0)}", f"17311 @B on {days_after(1)}")
    assert decided(event(void("A"), "evt-x"), held_over(401, *lines).history).results
    assert rejected(event(void("A"), "evt-x"), held_over(402, *lines).history).reason == "unknown_claim"


def test_of_two_old_claims_the_one_with_a_later_day_is_held() -> None:
    told = events(
        claim("A", f"17311 @A on {days_after(0)}", f"17311 @B on {days_after(1)}"),
        claim("B", f"17311 @A on {days_after(0)}"),
        claim("C", f"14060 on {days_after(401)}"),
    )
    answer = decided(event(void("A"), "evt-x"), ledger_of(told).history)
    assert answer.evicted == 1
    assert rejected(event(void("B"), "evt-y"), answer.history).reason == "unknown_claim"


def test_eviction_runs_before_an_event_and_so_not_by_the_events_own_days() -> None:
    first, second, third = events(
        claim("A", f"14060 on {days_after(0)}"),
        claim("B", f"14060 on {days_after(401)}"),
        claim("C", "14040"),
    )
    ledger = ledger_of([first])
    answer = decided(second, ledger.history)
    assert answer.evicted == 0
    assert decided(third, answer.history).evicted == 1


def test_received_and_expired_dates_evict_nothing() -> None:
    told = events(
        claim("A", "17313 @A", diagnoses=[TRUNK], undecided="A", received="2019-01-01"),
        claim("B", "88305", received="2031-01-01"),
        documentation("A", "2035-01-01", lesions=[]),
        expiry("A"),
    )
    answer = decided(event(void("A"), "evt-x"), ledger_of(told).history)
    assert answer.evicted == 0
    assert [(one.claim_id, one.outcome) for one in answer.results] == [("A", "void")]


def test_a_claim_that_comes_late_is_decided_though_it_is_older_than_the_look_back() -> None:
    told = events(claim("B", f"14060 on {days_after(401)}"), claim("A", f"17311 @A on {days_after(0)}"))
    ledger = ledger_of(told)
    assert ledger.published["A"].outcome == "pay"
    assert rejected(event(void("A"), "evt-x"), ledger.history).reason == "unknown_claim"


def test_the_copy_of_an_event_whose_claim_is_about_to_be_evicted_publishes_nothing() -> None:
    told = events(claim("B", f"14060 on {days_after(401)}"), claim("A", f"17311 @A on {days_after(0)}"))
    again = decided(told[1], ledger_of(told).history)
    assert (again.results, again.history) == ((), None)


@pytest.mark.parametrize(
    "correction",
    [void("T"), claim("T2", "99213", frequency="7", original="T")],
    ids=["void", "replacement"],
)
def test_a_mistyped_year_drops_other_claims_only_until_it_is_corrected(correction: Json) -> None:
    mistyped = claim("T", "99213 on 2062-04-28")
    told = (claim("M", "17311 @A"), claim("P", "88305 @A", received="2026-05-05"))
    published = ledger_of(events(mistyped, correction, *told)).published
    assert [published[one].outcome for one in "MP"] == ["pay", "deny"]


def test_of_two_claims_that_eviction_has_left_in_one_place_only_one_is_paid() -> None:
    """Without the eviction of R1, which lost to R2, its replacement S would be superseded."""
    told = events(
        claim("A", "14060", received="2026-05-01"),
        claim("R1", "14060 on 2026-04-01", received="2026-05-02", frequency="7", original="A"),
        claim("S", "14060", received="2026-05-03", frequency="7", original="R1"),
        claim("L", "99213 on 2027-05-20"),
        claim("R2", "14060", received="2026-05-04", frequency="7", original="A"),
    )
    published = ledger_of(told).published
    assert [published[one].outcome for one in ("R2", "S")] == ["pay", "deny"]


def test_eviction_publishes_nothing() -> None:
    ledger = held_over(401)
    answer = decided(event(claim("C", "14040"), "evt-x"), ledger.history)
    assert [one.claim_id for one in answer.results] == ["C"]


def test_the_id_of_an_evicted_claim_is_free_again() -> None:
    answer = decided(event(claim("A", "99213"), "evt-x"), held_over(401).history)
    assert [(one.claim_id, one.revision) for one in answer.results] == [("A", 1)]


def test_a_replacement_keeps_its_originals_place_when_that_is_evicted() -> None:
    late = days_after(401)
    told = events(
        claim("A", f"14060 on {days_after(0)}", received="2025-01-11"),
        claim("R", f"14060 on {late}", frequency="7", original="A", received="2026-05-20"),
        claim("B", f"14060 on {late}", received="2026-05-02"),
    )
    published = ledger_of(told).published
    assert [published[claim_id].outcome for claim_id in "BR"] == ["deny", "pay"]


# --- size ---

MOHS, PATHOLOGY = claim("M", "17311 @A"), claim("P", "88305")
ELSEWHERE = claim("E", "88305 on 2026-04-29")


def room_for(*data: Json) -> Limits:
    """Limits into which just these events fit."""
    history = ledger_of(events(*data)).history
    assert history is not None
    return Limits(max_bytes=len(history))


def less(limits: Limits, count: int = 1) -> Limits:
    return limits._replace(max_bytes=limits.max_bytes - count)


def rules_of(result: Result) -> set[str]:
    """The rules behind a result, but for what says that it is not the first."""
    found = {finding.rule for line in result.lines for finding in line.findings}
    return found - {READJUDICATED}


def pends_for_room(result: Result) -> bool:
    return (
        result.outcome == "pend"
        and {line.decision for line in result.lines} == {"pend"}
        and all(
            [(one.group, one.carc) for one in line.adjustments] == [("OA", "133")] for line in result.lines
        )
        and rules_of(result) == {CAPACITY}
        and result.documentation_needed == ()
    )


def test_a_claim_that_just_fits_is_decided_as_ever() -> None:
    limits = room_for(ELSEWHERE, PATHOLOGY, MOHS)
    published = ledger_of(events(ELSEWHERE, PATHOLOGY, MOHS), limits).published
    assert {one: published[one].outcome for one in published} == {"E": "pay", "P": "deny", "M": "pay"}


def test_a_claim_that_does_not_fit_pends_with_all_of_its_day() -> None:
    limits = less(room_for(ELSEWHERE, PATHOLOGY, MOHS))
    published = ledger_of(events(ELSEWHERE, PATHOLOGY, MOHS), limits).published
    assert pends_for_room(published["M"])
    assert pends_for_room(published["P"])
    assert published["E"].outcome == "pay"


def test_a_claim_that_comes_for_the_day_of_one_not_held_pends() -> None:
    limits = less(room_for(ELSEWHERE, PATHOLOGY, MOHS))
    told = events(ELSEWHERE, PATHOLOGY, MOHS, claim("Q", "88304"), claim("F", "14060 on 2026-04-30"))
    published = ledger_of(told, limits).published
    assert pends_for_room(published["Q"])


def test_nothing_that_comes_at_the_cap_is_decided() -> None:
    told = [claim(f"{number:02}", "17311 @A", f"14060 on {days_after(number)}") for number in range(7)]
    limits = room_for(*told[:3])
    published = ledger_of(events(*told), limits).published
    for result in published.values():
        decisions = [line.decision for line in result.lines]
        assert decisions[0] == "pend"  # the day on which all of them meet
        assert decisions[1] == ("pay" if result.claim_id in {"00", "01", "02"} else "pend")


def test_on_a_day_that_is_not_held_whole_no_line_counts_as_out_of_scope() -> None:
    visit = claim("V", "99213")
    published = ledger_of(events(visit, MOHS), less(room_for(visit, MOHS))).published
    assert pends_for_room(published["V"])


def test_the_other_days_of_a_claim_are_decided() -> None:
    both = claim("B", "14060", "14060 on 2026-04-30")
    published = ledger_of(events(both, MOHS), less(room_for(both, MOHS))).published
    assert [line.decision for line in published["B"].lines] == ["pend", "pay"]


@pytest.mark.parametrize(
    "closing",
    [
        pytest.param(void("M"), id="void"),
        pytest.param(claim("V", "99213", frequency="8", original="M"), id="an 8"),
    ],
)
def test_voiding_the_claim_that_is_not_held_decides_its_day_again(closing: Json) -> None:
    limits = less(room_for(ELSEWHERE, PATHOLOGY, MOHS))
    ledger = ledger_of(events(ELSEWHERE, PATHOLOGY, MOHS), limits)
    assert pends_for_room(ledger.published["P"])
    after = ledger.after(event(closing, "evt-x"), limits)
    assert after.published["M"].outcome == "void"
    assert after.published["P"].outcome == "pay"
    assert CAPACITY not in rules_of(after.published["P"])


def large(claim_id: str, **given: str) -> Json:
    return claim(claim_id, "17311 @A", *(f"11980 on {days_after(number)}" for number in range(40)), **given)


def test_a_replacement_that_fits_stands_for_the_claim_that_did_not() -> None:
    limits = less(room_for(PATHOLOGY, large("M")))
    ledger = ledger_of(events(PATHOLOGY, large("M")), limits)
    assert pends_for_room(ledger.published["P"])
    small = claim("R", "17311 @A", frequency="7", original="M")
    after = ledger.after(event(small, "evt-x"), limits)
    outcomes = {one: after.published[one].outcome for one in after.published}
    assert outcomes == {"M": "void", "R": "pay", "P": "deny"}


def test_a_claim_that_is_voided_makes_room() -> None:
    limits = less(room_for(large("X"), PATHOLOGY, MOHS))
    assert pends_for_room(ledger_of(events(large("X"), PATHOLOGY, MOHS), limits).published["M"])
    published = ledger_of(events(large("X"), void("X"), PATHOLOGY, MOHS), limits).published
    assert {one: published[one].outcome for one in published} == {"X": "void", "P": "deny", "M": "pay"}


RECORDS = documentation("M", "2026-05-20", lesions=[{"lesion": "A", "diameter_cm": "2.0"}])
WAITING = claim("M", "17313 @A", diagnoses=[TRUNK], undecided="A")


def test_records_that_just_fit_are_decided_with() -> None:
    told = (PATHOLOGY, WAITING, RECORDS)
    published = ledger_of(events(*told), room_for(*told)).published
    assert (published["M"].outcome, published["P"].outcome) == ("pay", "deny")


def test_a_claim_whose_records_do_not_fit_pends_with_all_of_its_day() -> None:
    told = (PATHOLOGY, WAITING, RECORDS)
    published = ledger_of(events(*told), less(room_for(*told))).published
    assert pends_for_room(published["M"])
    assert pends_for_room(published["P"])


def test_a_paid_claim_whose_records_do_not_fit_is_paid_no_more() -> None:
    told = (MOHS, documentation("M", "2026-05-20", lesions=[{"lesion": "A", "site": "trunk"}]))
    published = ledger_of(events(*told), less(room_for(*told))).published
    assert pends_for_room(published["M"])


@pytest.mark.parametrize("what", [RECORDS, expiry("M")], ids=["documentation", "expiry"])
def test_events_about_a_claim_that_is_not_held_whole_are_no_dead_letters(what: Json) -> None:
    limits = less(room_for(PATHOLOGY, MOHS))
    ledger = ledger_of(events(PATHOLOGY, MOHS), limits)
    answer = decided(event(what, "evt-x"), ledger.history, limits)
    assert answer.results == ()
    assert answer.history is not None
    assert decided(event(what, "evt-x"), answer.history, limits).history is None


def test_a_claim_that_is_not_held_whole_is_not_submitted_twice() -> None:
    limits = less(room_for(PATHOLOGY, MOHS))
    told = events(PATHOLOGY, MOHS)
    ledger = ledger_of(told, limits)
    assert decided(told[1], ledger.history, limits).history is None
    assert rejected(event(MOHS, "evt-x"), ledger.history, limits).reason == "contract"


def test_a_stored_history_never_exceeds_twice_the_cap() -> None:
    limits = Limits(max_bytes=4096)
    history, answers = None, list[Adjudicated | Rejected]()
    for number in range(120):
        answer = adjudicate(_of_many(number), history, reference(), limits)
        answers.append(answer)
        if isinstance(answer, Adjudicated):
            assert answer.history is not None
            assert len(answer.history) <= 2 * limits.max_bytes
            history = answer.history
    assert isinstance(answers[-1], Rejected)
    assert answers[-1].reason == "too_large"


def _of_many(number: int) -> Event:
    return event(claim(f"CLM-{number}", "17311 @A"), f"evt-{number}")


# --- lines that meet ---


def test_a_day_of_as_many_lines_as_the_limit_is_decided_and_one_more_pends() -> None:
    told = events(claim("1", "14060", "88305"), claim("2", "14040", "88304"), claim("3", "15260", "88331"))
    at_limit = ledger_of(told, Limits(max_day_lines=6)).published
    assert {one.outcome for one in at_limit.values()} == {"pay"}
    over = ledger_of(told, Limits(max_day_lines=5)).published
    assert all(pends_for_room(one) for one in over.values())


def test_lines_of_claims_of_another_day_are_not_counted() -> None:
    told = events(claim("1", "14060", "88305"), claim("2", "14040 on 2026-04-29", "88304 on 2026-04-29"))
    published = ledger_of(told, Limits(max_day_lines=3)).published
    assert {one.outcome for one in published.values()} == {"pay"}


def test_lines_that_a_meeting_claim_has_on_other_days_are_not_counted() -> None:
    told = events(
        claim("1", "14060", "14040 on 2026-04-29", "15260 on 2026-04-30"),
        claim("2", "88305", "88304 on 2026-05-01"),
    )
    published = ledger_of(told, Limits(max_day_lines=3)).published
    assert {one.outcome for one in published.values()} == {"pay"}


def test_the_lines_of_all_days_of_an_event_are_counted_together() -> None:
    told = events(
        claim("1", "14060"),
        claim("2", "14060 on 2026-04-29"),
        claim("3", "88305", "88305 on 2026-04-29"),
    )
    assert ledger_of(told, Limits(max_day_lines=4)).published["3"].outcome == "pay"
    assert pends_for_room(ledger_of(told, Limits(max_day_lines=3)).published["3"])


@pytest.mark.parametrize(
    ("practice", "lines_decided"),
    [({"npi": "X", "tin": ""}, 1 + 1), ({}, 1 + 1 + (11 + 1 + 10))],
    ids=["changes nothing", "denies a line"],
)
def test_days_that_hang_together_are_decided_only_as_far_as_something_changes(
    monkeypatch: pytest.MonkeyPatch, practice: Json, lines_decided: int
) -> None:
    """A claim reaches from the event's day to ten others, on each of which another claim lies."""
    days = [f"2026-03-{number:02}" for number in range(1, 11)]
    neighbours = [claim(f"N{day}", f"14060 on {day}") for day in days]
    long = claim("LONG", "99213", *(f"88305 on {day}" for day in days))
    history = ledger_of(events(*neighbours, long)).history
    drawn: list[str] = []

    def counted(of: Claim, line: Line, *rest: Any) -> Service:
        drawn.append(of.claim_id)
        return enrich(of, line, *rest)

    monkeypatch.setattr(member, "enrich", counted)
    decided(event(claim("HERE", "14060", **practice), "evt-here"), history)
    assert drawn[:2] == ["LONG", "HERE"]
    assert len(drawn) == lines_decided


def test_lines_of_closed_claims_are_not_counted() -> None:
    told = events(
        claim("1", "14060", "88305"), void("1"), claim("2", "14040", "88304"), claim("3", "15260", "88331")
    )
    published = ledger_of(told, Limits(max_day_lines=4)).published
    assert [published[one].outcome for one in "123"] == ["void", "pay", "pay"]


def test_voiding_the_claim_that_was_too_many_decides_the_day_again() -> None:
    limits = Limits(max_day_lines=3)
    told = events(claim("1", "14060", "88305"), claim("2", "17311 @A", "99213"), void("2"))
    published = ledger_of(told, limits).published
    assert [published[one].outcome for one in "12"] == ["pay", "void"]


def test_a_single_claim_of_more_lines_than_the_limit_pends() -> None:
    (what,) = events(claim("1", "14060", "88305", "88304"))
    assert pends_for_room(ledger_of([what], Limits(max_day_lines=2)).published["1"])
    assert ledger_of([what], Limits(max_day_lines=3)).published["1"].outcome == "pay"
