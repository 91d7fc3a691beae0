"""What a legal event may be as long as it likes must not make a result, or a memory, as long."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from worker.adjudication import Reference, Result, adjudicate_alone, decode, encode
from worker.adjudication.decode import MAX_VALUE_BYTES
from worker.reference import load_reference


@pytest.fixture(scope="module")
def reference() -> Reference:
    return load_reference()


def event(*, procedure: str, lesion: dict[str, Any]) -> bytes:
    lines = [
        {
            "line": number,
            "procedure": procedure,
            "modifiers": ["59"],
            "units": 9999,
            "diagnosis_pointers": [1],
            "service_date": "2026-04-28",
            "charge": "1.00",
            "lesion": lesion["lesion"],
        }
        for number in range(1, 51)
    ]
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": "evt-1",
            "source": "/tests",
            "type": "mms.claim.submitted.v1",
            "data": {
                "claim_id": "C" * 80,
                "member_id": "M" * 80,
                "payer_id": "P",
                "frequency_code": "1",
                "received_date": "2026-05-04",
                "billing_provider": {"npi": "1"},
                "diagnoses": ["C44.519"],
                "lines": lines,
                "documentation": {"lesions": [lesion]},
            },
        }
    )


@pytest.mark.parametrize("procedure", ["17311", "17313"])
@pytest.mark.parametrize(
    "lesion",
    [
        {"lesion": "L" * 80, "histology": ["nodular", "superficial", "other"] * 30_000},
        {"lesion": "L" * 80, "histology": ["morpheaform", "perineural"] * 35_000},
        {"lesion": "L" * 80, "site": "trunk", "direct_involvement": ["muscle", "bone"] * 50_000},
        {"lesion": "L" * 80, "site": "trunk", "direct_involvement": []},
        {"lesion": "\U0001f52c" * 80, "histology": []},
    ],
    ids=["harmless histology", "aggressive histology", "deep structures", "none involved", "wide id"],
)
def test_the_result_of_the_longest_legal_claim_is_no_longer_than_a_record(
    reference: Reference, procedure: str, lesion: dict[str, Any]
) -> None:
    value = event(procedure=procedure, lesion=lesion)
    assert len(value) <= MAX_VALUE_BYTES
    decoded = decode(value)
    result = adjudicate_alone(decoded, reference)  # type: ignore[arg-type]
    assert isinstance(result, Result)
    assert len(encode(result)) < MAX_VALUE_BYTES // 2


def test_a_word_repeated_decides_like_the_word_once(reference: Reference) -> None:
    once, often = (
        adjudicate_alone(
            decode(event(procedure="17313", lesion={"lesion": "A", "histology": words})),  # type: ignore[arg-type]
            reference,
        )
        for words in (["nodular", "perineural"], ["nodular", "perineural", "nodular", "perineural"])
    )
    assert isinstance(once, Result)
    assert isinstance(often, Result)
    assert once.lines == often.lines
