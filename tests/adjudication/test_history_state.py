"""The stored history: its version, and that it says the same to whoever reads it."""

from __future__ import annotations

import pytest

from tests.adjudication.historykit import (
    TRUNK,
    claim,
    decided,
    documentation,
    event,
    events,
    expiry,
    ledger_of,
    reference,
    void,
)
from worker.adjudication import adjudicate
from worker.adjudication.stored import VERSION, UnknownVersion, read, version_of, write

TOLD = events(
    claim("M", "17313 @A", "17314 @A x2", diagnoses=[TRUNK, "Z94.0"], undecided="A"),
    claim("P", "88305-59", "99213-25 on 2026-04-29", npi="", tin="U", payer="CANDIDACY"),
    documentation(
        "M", "2026-05-20", immunosuppressed=False,
        lesions=[{"lesion": "A", "diameter_cm": "2.0", "histology": [], "stages": [7, 0]}, {"lesion": "B"}],
    ),
    claim("R", "17311 @C", frequency="7", original="M", received="2026-05-21"),
    expiry("P"),
    claim("V", "17311", frequency="8", original="P"),
    void("R"),
    claim("Ĉ\u2028", "17311 @A"),
)  # fmt: skip


def states() -> list[bytes]:
    """The state after each of the events."""
    found = (ledger_of(TOLD[:count]).history for count in range(1, len(TOLD) + 1))
    return [state for state in found if state is not None]


def test_a_state_that_is_read_and_written_is_the_same() -> None:
    assert len(states()) == len(TOLD)
    for state in states():
        assert write(read(state)) == state
        assert read(write(read(state))) == read(state)


def test_the_same_events_in_the_same_order_leave_the_same_bytes() -> None:
    assert states() == states()


def test_the_first_byte_of_a_state_is_its_version() -> None:
    assert VERSION == 1
    assert {state[0] for state in states()} == {version_of(state) for state in states()} == {1}


@pytest.mark.parametrize("version", [0, 2, 255])
def test_a_state_of_another_version_is_refused_with_both_versions(version: int) -> None:
    state = bytes((version,)) + states()[-1][1:]
    assert version_of(state) == version
    for refuse in (read, lambda other: adjudicate(TOLD[0], other, reference())):
        with pytest.raises(UnknownVersion) as refused:
            refuse(state)
        assert f"version {version}" in str(refused.value)
        assert "version 1" in str(refused.value)
        assert len(str(refused.value)) < 100


def test_an_empty_state_is_refused() -> None:
    assert version_of(b"") is None
    with pytest.raises(UnknownVersion, match="version 1"):
        read(b"")


def test_the_refusal_of_a_version_quotes_nothing_of_the_state() -> None:
    with pytest.raises(UnknownVersion) as refused:
        read(b"\x07SECRET")
    assert "SECRET" not in str(refused.value)


def test_a_state_knows_every_claim_that_was_held() -> None:
    found = [held.claim_id for held in read(states()[-1]).claims]
    assert sorted(found) == sorted(["M", "P", "R", "V", "Ĉ\u2028"])


def test_a_history_does_not_change_when_an_event_is_decided_with_it() -> None:
    state = states()[-1]
    kept = bytes(bytearray(state))
    decided(event(claim("N", "88305"), "evt-x"), state)
    assert state == kept
