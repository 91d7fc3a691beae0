"""Takes out of a published result what its vocabularies do not know: it was changed, and may tell anything.

What this engine writes passes as it is. Reasons and evidence are not shown without being asked for anyway.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, get_args

import msgspec
from msgspec.structs import replace

from worker.adjudication.claim import DATA_TYPES
from worker.adjudication.finding import Verdict
from worker.adjudication.result import Decision, Outcome
from worker.replay.reading.recorded import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from worker.adjudication import Reference
    from worker.replay.reading.recorded import Recorded, RecordedAdjustment, RecordedFinding, RecordedLine

MASK = "?"
OUTCOMES, DECISIONS, VERDICTS = (frozenset(get_args(words)) for words in (Outcome, Decision, Verdict))
CODE = re.compile(r"[0-9A-Z]{1,5}")
"""Group codes, CARCs and RARCs."""
NAME = re.compile(r"[a-z][a-z0-9_.-]{0,59}")
"""Rules, facts, policies and code sets."""
RESULT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
EVENTS = frozenset(DATA_TYPES)


def citations_of(reference: Reference) -> frozenset[str]:
    """Every citation that the policies have."""
    return frozenset(_citations(msgspec.to_builtins(reference.policies.documents)))


def _citations(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, part in value.items():
            if name == "citation" and isinstance(part, str):
                yield part
            else:
                yield from _citations(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _citations(part)


class Masking:
    """Masks results whose policies are known; ``citations`` are all that these have."""

    def __init__(self, citations: frozenset[str]) -> None:
        self._citations = citations

    def masked(self, said: Recorded) -> Recorded:
        """The same result with a question mark for each word that is not of its vocabulary."""
        basis = said.basis
        return replace(
            said,
            result_id=_fits(said.result_id, RESULT_ID),
            cause=replace(said.cause, type=_known(said.cause.type, EVENTS)),
            outcome=_known(said.outcome, OUTCOMES),
            lines=tuple(map(self._line, said.lines)),
            documentation_needed=tuple(
                replace(need, facts=tuple(_fits(fact, NAME) for fact in need.facts))
                for need in said.documentation_needed
            ),
            basis=replace(
                basis,
                engine=_fits(basis.engine, VERSION),
                policies=_versions(basis.policies),
                code_sets=_versions(basis.code_sets),
            ),
        )

    def _line(self, line: RecordedLine) -> RecordedLine:
        return replace(
            line,
            decision=_known(line.decision, DECISIONS),
            adjustments=tuple(map(_adjustment, line.adjustments)),
            findings=tuple(map(self._finding, line.findings)),
        )

    def _finding(self, finding: RecordedFinding) -> RecordedFinding:
        return replace(
            finding,
            rule=_fits(finding.rule, NAME),
            verdict=_known(finding.verdict, VERDICTS),
            policy=_fits(finding.policy, NAME),
            version=_fits(finding.version, VERSION),
            citation=_known(finding.citation, self._citations),
        )


def _adjustment(one: RecordedAdjustment) -> RecordedAdjustment:
    rarcs = tuple(_fits(rarc, CODE) for rarc in one.rarc)
    return replace(one, group=_fits(one.group, CODE), carc=_fits(one.carc, CODE), rarc=rarcs)


def _versions(versions: Mapping[str, str]) -> dict[str, str]:
    return {_fits(name, NAME): _fits(version, VERSION) for name, version in versions.items()}


def _known(word: str, words: frozenset[str]) -> str:
    return word if word in words else MASK


def _fits(word: str, form: re.Pattern[str]) -> str:
    return word if form.fullmatch(word) else MASK
