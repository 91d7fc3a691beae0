"""Since when a member waits for an answer, told from its stored history."""

from __future__ import annotations

from datetime import date

from tests.stream.killing import events
from tests.stream.oracle import answers
from worker.adjudication.held import Held, History, Published, Standing
from worker.adjudication.pended import oldest_pend
from worker.adjudication.stored import read, write

MAY, JUNE = (date(2026, month, 4).toordinal() for month in (5, 6))


def held(claim_id: str, received: int, outcome: str) -> Held:
    return Held(
        claim_id=claim_id,
        frequency="1",
        original_claim_id=None,
        received=received,
        inherited=(received, "CLM-0"),
        standing=Standing.STANDS,
        is_lost=False,
        is_expired=False,
        dates=(received,),
        seen=b"s" * 48,
        published=Published(2, b"r" * 16, outcome, b"?" + b"m" * 8),
        body=b"pend",
    )


def test_the_oldest_of_several_pended_claims_counts() -> None:
    claims = held("A", MAY - 1, "pay"), held("B", JUNE, "pend"), held("C", MAY, "pend")
    assert oldest_pend(write(History(claims))) == MAY


def test_a_history_that_only_speaks_of_pends_has_none() -> None:
    assert oldest_pend(write(History((held("pend", MAY, "deny"),)))) is None


def test_the_empty_history_has_none() -> None:
    assert oldest_pend(write(History())) is None


def test_of_a_history_of_another_version_nothing_is_told() -> None:
    state = write(History((held("A", MAY, "pend"),)))
    assert oldest_pend(bytes([state[0] + 1]) + state[1:]) is None
    assert oldest_pend(b"") is None


def test_after_every_event_it_is_what_the_whole_history_says() -> None:
    left: dict[bytes, bytes] = {}
    seen = set()
    for _ in answers(events(1500, seed=5, members=40), histories=left):
        for state in left.values():
            pended = [one.received for one in read(state).claims if one.published.outcome == "pend"]
            assert oldest_pend(state) == min(pended, default=None)
            seen.add(len(pended))
    assert {0, 1, 2} <= seen
