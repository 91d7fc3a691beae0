"""A member's events in a short form, and a ledger of what is published of them.

Unless said otherwise a claim is an original of payer BCBSND for the one diagnosis C44.311 (nose: Mohs surgery
is necessary by its site, and coded 17311), received on 2026-05-04 from one practice (rendering NPI "N", TIN
"T"), without records, and its lines are of one unit served on 2026-04-28.

A line is written ``17311-59-LT @A x2 on 2026-04-29``: the procedure with its modifiers, lesion, units, date.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from hashlib import sha256
from typing import Any, NamedTuple, TypeAlias

import orjson

from worker.adjudication import (
    Adjudicated,
    Limits,
    Reference,
    Rejected,
    Result,
    adjudicate,
    decode,
    encode,
)
from worker.adjudication.claim import DOCUMENTED, EXPIRED, SUBMITTED, VOIDED, Event
from worker.reference import load_reference

Json: TypeAlias = dict[str, Any]

MEMBER = "MBR-1"
DAY = "2026-04-28"
RECEIVED = "2026-05-04"
NOSE, TRUNK, UNLISTED = "C44.311", "C44.519", "L57.0"

ABSENT: Json = {
    "diameter_cm": "1.0", "borders": "well-defined", "recurrent": False, "incompletely_excised": False,
    "previously_irradiated": False, "rapid_growth": False, "high_risk_metastasis": False,
    "histology": ["nodular"],
}  # fmt: skip
"""Every fact of a lesion that could make Mohs surgery necessary, documented as not so."""

READJUDICATED = "history.readjudicated"
"""The finding that names the claim for which an earlier decision changed: about the way, not the decision."""

_LINE = re.compile(
    r"(?P<procedure>\w{5})(?P<modifiers>(-\w\w)*)( @(?P<lesion>\w+))?( x(?P<units>\d+))?"
    r"( on (?P<day>[\d-]+))?"
)


def line(short: str, number: int = 1) -> Json:
    """A line of a claim from its short form."""
    found = _LINE.fullmatch(short)
    assert found is not None, f"not a line: {short}"
    return {
        "line": number,
        "procedure": found["procedure"],
        "modifiers": found["modifiers"].split("-")[1:],
        "units": int(found["units"] or 1),
        "diagnosis_pointers": [1],
        "service_date": found["day"] or DAY,
        "charge": "100.00",
    } | ({"lesion": found["lesion"]} if found["lesion"] else {})


def claim(claim_id: str, *lines: str, **given: Any) -> Json:
    """Data of a claim with these lines; ``npi`` or ``tin`` as an empty string is missing."""
    npi, tin = given.pop("npi", "N"), given.pop("tin", "T")
    data = {
        "claim_id": claim_id,
        "member_id": MEMBER,
        "payer_id": given.pop("payer", "BCBSND"),
        "frequency_code": given.pop("frequency", "1"),
        "received_date": given.pop("received", RECEIVED),
        "billing_provider": {"npi": "B"} | ({"tin": tin} if tin else {}),
        "diagnoses": given.pop("diagnoses", [NOSE]),
        "lines": [line(short, number) for number, short in enumerate(lines, start=1)],
    }
    if npi:
        data["rendering_provider"] = {"npi": npi}
    if original := given.pop("original", None):
        data["original_claim_id"] = original
    if records := _taken_records(given):
        data["documentation"] = records
    assert not given, given
    return data


def documentation(claim_id: str, received: str, **given: Any) -> Json:
    """Data of records that came for a claim."""
    records = _taken_records(given)
    assert not given, given
    return {
        "claim_id": claim_id,
        "member_id": MEMBER,
        "received_date": received,
        "documentation": records,
    }


def expiry(claim_id: str) -> Json:
    """Data of the end of the time for a claim's records."""
    return {"claim_id": claim_id, "member_id": MEMBER, "expired_date": "2026-06-30"}


def void(claim_id: str) -> Json:
    """Data of a claim's void."""
    return {"claim_id": claim_id, "member_id": MEMBER}


def undecided(lesion: str) -> Json:
    """Records that settle all of a lesion but its diameter, and whether the patient is immunosuppressed."""
    facts = {fact: value for fact, value in ABSENT.items() if fact != "diameter_cm"}
    return {"immunosuppressed": False, "lesions": [{"lesion": lesion} | facts]}


def _taken_records(given: Json) -> Json:
    """The documentation that is given, taken out of it; see ``tests/test_stories.py`` for its words."""
    records = undecided(given.pop("undecided")) if "undecided" in given else {}
    if "immunosuppressed" in given:
        records["immunosuppressed"] = given.pop("immunosuppressed")
    if "lesions" in given:
        records["lesions"] = [*records.get("lesions", []), *map(_lesion, given.pop("lesions"))]
    return records


def _lesion(stated: Mapping[str, Any]) -> Json:
    lesion = dict(stated)
    nulls = dict.fromkeys(lesion.pop("null", []))
    stages = {"stages": [{"blocks": blocks} if blocks else {} for blocks in lesion.pop("stages")]} if (
        "stages" in lesion
    ) else {}  # fmt: skip
    absent = ABSENT if lesion.pop("absent", False) else {}
    return absent | lesion | stages | nulls


def event(data: Json, id_: str, source: str = "/tests") -> Event:
    """The event of this data, through its bytes; its type follows from its fields."""
    type_ = (
        SUBMITTED if "lines" in data
        else DOCUMENTED if "documentation" in data
        else EXPIRED if "expired_date" in data
        else VOIDED
    )  # fmt: skip
    found = decode(
        orjson.dumps({"specversion": "1.0", "id": id_, "source": source, "type": type_, "data": data})
    )
    assert isinstance(found, Event), found
    return found


def events(*data: Json) -> list[Event]:
    """Events of these data, in order, with ids of their own."""
    return [event(one, f"evt-{number}") for number, one in enumerate(data, start=1)]


@cache
def reference() -> Reference:
    return load_reference()


def decided(what: Event, history: bytes | None, limits: Limits = Limits()) -> Adjudicated:
    """The event with the history before it; it must not be rejected."""
    answer = adjudicate(what, history, reference(), limits)
    assert isinstance(answer, Adjudicated), answer
    return answer


def rejected(what: Event, history: bytes | None, limits: Limits = Limits()) -> Rejected:
    """Why the event is rejected after this history; it must be."""
    answer = adjudicate(what, history, reference(), limits)
    assert isinstance(answer, Rejected), answer
    return answer


class Final(NamedTuple):
    """A decision without the way that led to it: what must be the same in whichever order events come."""

    outcome: str
    lines: bytes
    needed: bytes


def final(result: Result) -> Final:
    """What a result says, but for its revision, cause and basis and what changed by it."""
    said = orjson.loads(encode(result))
    for one in said["lines"]:
        one["findings"] = [each for each in one["findings"] if each["rule"] != READJUDICATED]
    return Final(said["outcome"], orjson.dumps(said["lines"]), orjson.dumps(said["documentation_needed"]))


class Ledger(NamedTuple):
    """A member's history, and the last result published of each claim."""

    history: bytes | None = None
    published: Mapping[str, Result] = {}

    def after(self, what: Event, limits: Limits = Limits()) -> Ledger:
        """The ledger after one more event, which keeps what the contract says of results."""
        answer = decided(what, self.history, limits)
        published = dict(self.published)
        for result in answer.results:
            _follows(result, self.published.get(result.claim_id), what)
            published[result.claim_id] = result
        said = [result.claim_id for result in answer.results]
        assert len(set(said)) == len(said)
        assert answer.again == sum(result.revision > 1 for result in answer.results)
        history = self.history if answer.history is None else answer.history
        return Ledger(history, published)

    def finals(self) -> dict[str, Final]:
        """The last word on each claim."""
        return {claim_id: final(result) for claim_id, result in self.published.items()}


def _follows(result: Result, before: Result | None, what: Event) -> None:
    """A result follows the last one of its claim, and says something else than that."""
    assert (result.cause.source, result.cause.id, result.cause.type) == (what.source, what.id, what.type)
    assert result.input_digest == what.digest
    assert result.member_id == MEMBER
    if before is None:
        assert (result.revision, result.supersedes) == (1, None)
        assert READJUDICATED not in _rules(result)
        return
    assert (result.revision, result.supersedes) == (before.revision + 1, before.result_id)
    assert result.result_id != before.result_id
    assert final(result) != final(before)
    assert result.outcome == "void" or READJUDICATED in _rules(result)
    for one in result.lines:
        for finding in one.findings:
            if finding.rule == READJUDICATED:
                said = {key: str(value) for key, value in dict(finding.evidence).items()}
                assert said == {"claim": what.data.claim_id, "event": what.type}


def _rules(result: Result) -> set[str]:
    return {finding.rule for one in result.lines for finding in one.findings}


def ledger_of(told: Iterable[Event], limits: Limits = Limits()) -> Ledger:
    """The ledger after these events, from an empty history."""
    ledger = Ledger()
    for one in told:
        ledger = ledger.after(one, limits)
    return ledger


def about(what: Event) -> str | None:
    """The claim that must be held before the event can be decided; None for an original claim."""
    data: Any = what.data
    if what.type != SUBMITTED:
        return str(data.claim_id)
    return data.original_claim_id if data.frequency_code != "1" else None


def ready(told: Sequence[Event], done: Collection[int]) -> list[int]:
    """The places of the events that may come next, after those at the places that are done."""
    held = {told[place].data.claim_id for place in done if told[place].type == SUBMITTED}
    return [
        place
        for place, what in enumerate(told)
        if place not in done and (about(what) is None or about(what) in held)
    ]


def count_orders(told: Sequence[Event]) -> int:
    """How many orders of the events there are in which each claim comes before the events about it."""

    @cache
    def _from(done: frozenset[int]) -> int:
        return sum(_from(done | {place}) for place in ready(told, done)) or 1

    return _from(frozenset())


Finals: TypeAlias = dict[frozenset[int], dict[str, Final]]
"""What became of every claim after a set of events, told by their places."""


def walk(told: Sequence[Event]) -> Finals:
    """Decide the events in every order; after the same ones of them each claim must have come to the same."""
    seen: Finals = {}

    def _on(ledger: Ledger, done: frozenset[int]) -> None:
        assert seen.setdefault(done, ledger.finals()) == ledger.finals()
        for place in ready(told, done):
            _on(ledger.after(told[place]), done | {place})

    _on(Ledger(), frozenset())
    return seen


def stroll(told: Sequence[Event], times: int) -> Finals:
    """As ``walk``, in so many orders only: always the same ones, for the same events."""
    seen: Finals = {}
    for time in range(times):
        ledger, done = Ledger(), frozenset[int]()
        while len(done) < len(told):
            next_ = min(ready(told, done), key=lambda place: sha256(b"%d %d" % (time, place)).digest())
            ledger, done = ledger.after(told[next_]), done | {next_}
            assert seen.setdefault(done, ledger.finals()) == ledger.finals()
    return seen
