"""What stands for a claim, decided once more from what is held, is what was said of it last."""

from __future__ import annotations

from functools import cache

import orjson

from worker.adjudication import Adjudicated, Limits, Rejected, adjudicate, decode, standing
from worker.adjudication.decide import READJUDICATED
from worker.adjudication.encode import result_id_of
from worker.adjudication.result import Cause, LineDecision, Result
from worker.devkit.generator import histories
from worker.reference import load_reference

reference = cache(load_reference)


def said(result: Result) -> tuple[object, ...]:
    """What a result says of its claim, but for that it was said before."""
    return (result.outcome, list(map(without_mark, result.lines)), result.documentation_needed)


def without_mark(line: LineDecision) -> tuple[object, ...]:
    findings = [finding.json for finding in line.findings if finding.rule != READJUDICATED]
    return (line.line, line.decision, line.units_allowed, line.adjustments, findings)


def test_what_stands_after_every_event_is_what_was_said_last() -> None:
    held: dict[str, bytes] = {}
    last: dict[tuple[str, str], Result] = {}
    asked = 0
    for made in histories(600, 21, 30):
        event = decode(orjson.dumps(made))
        assert not isinstance(event, Rejected)
        member = event.data.member_id
        answer = adjudicate(event, held.get(member), reference(), Limits())
        if not isinstance(answer, Adjudicated) or answer.history is None:
            continue
        held[member] = answer.history
        last.update({(member, result.claim_id): result for result in answer.results})
        for (whose, claim_id), result in last.items():
            if whose == member:
                found = standing(event, answer.history, claim_id, reference())
                # A claim that is closed, or that the look-back has dropped, has nothing that stands.
                if found is not None:
                    asked += 1
                    assert said(found) == said(result)
                    assert found.revision == result.revision
    assert asked > 2_000


def test_of_a_claim_that_is_not_in_force_nothing_stands() -> None:
    held: bytes | None = None
    for made in histories(400, 3, 1):
        event = decode(orjson.dumps(made))
        assert not isinstance(event, Rejected)
        answer = adjudicate(event, held, reference(), Limits())
        if isinstance(answer, Adjudicated) and answer.history is not None:
            held = answer.history
            voided = [result.claim_id for result in answer.results if result.outcome == "void"]
            for claim_id in (*voided, "never seen"):
                assert standing(event, held, claim_id, reference()) is None


def test_a_result_id_is_that_of_claim_revision_cause_and_basis() -> None:
    cause = Cause("/source", "id", "type")
    one = result_id_of("CLM-1", 1, cause, "sha256:aa", "sha256:bb")
    others = {
        result_id_of("CLM-2", 1, cause, "sha256:aa", "sha256:bb"),
        result_id_of("CLM-1", 2, cause, "sha256:aa", "sha256:bb"),
        result_id_of("CLM-1", 1, Cause("/source", "id2", "type"), "sha256:aa", "sha256:bb"),
        result_id_of("CLM-1", 1, cause, "sha256:ab", "sha256:bb"),
        result_id_of("CLM-1", 1, cause, "sha256:aa", "sha256:bc"),
    }
    assert len(others - {one}) == 5
    assert one[14] == "5"
