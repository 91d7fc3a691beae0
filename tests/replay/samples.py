"""Summaries and examples as a replay leaves them, whose numbers add up: each is counted from its results."""

from __future__ import annotations

from datetime import date, timedelta
from hashlib import sha256
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

from worker.replay.output.summary import BasisSummary, SourceSummary, Summary, Window
from worker.replay.reading.evidence import Shard, Span
from worker.replay.telling.differences import Cause, Example, ShownFinding, ShownLine, ShownResult
from worker.replay.telling.outcome import NONE, Amount, Counts

FIRST_DAY = date(2026, 1, 5)
POLICIES = "mms-coding=1 mms-medical-policy=1 ncci=1"
NEW_POLICIES = "mms-coding=1 mms-medical-policy=2 ncci=1"
CODE_SETS = (
    "icd10cm=FY2026 mms-diagnoses=1 mms-implied-facts=1 ncci-aoc=2024Q2 ncci-modifiers=2024-06"
    " ncci-mue=2024Q3 ncci-ptp=2024Q3"
)
PHI_MARKERS = ("MBR-SECRET", "17311 RT secret-billed", "secret-reason", "secret-evidence")
"""One in every field of an example that tells of a patient."""


Kind: TypeAlias = Literal["replay", "what-if", "impact"]
FAULTY = frozenset({"history", "engine", "missing", "extra", "tampered"})


class Deed(Struct, frozen=True):
    """Some results of one kind: how many, from what to what, on which day, and what their one line does."""

    count: int
    before: str
    after: str
    cause: Cause | None = None
    day: int = 0
    line: tuple[str, str] | None = None
    units: tuple[int, int] = (0, 0)
    carcs: tuple[str, ...] = ()


SAME = (
    Deed(7_412, "pay", "pay"),
    Deed(1_204, "deny", "deny"),
    Deed(655, "partial", "partial"),
    Deed(401, "pend", "pend"),
    Deed(188, "out_of_scope", "out_of_scope"),
    Deed(44, "void", "void"),
)
ASKED = (
    Deed(96, "pay", "deny", "policy", 3, ("pay", "deny"), (1, 0), ("50",)),
    Deed(58, "pay", "pend", "policy", 24, ("pay", "pend"), (1, 0), ("133",)),
    Deed(31, "pend", "pay", "policy", 66, ("pend", "pay"), (0, 1), ("133",)),
    Deed(24, "pay", "partial", "code_set", 40, ("pay", "pay"), (3, 2), ("151",)),
    Deed(11, "partial", "deny", "code_set", 87, ("pay", "deny"), (1, 0), ("236",)),
    Deed(4, "deny", "pay", "policy", 87, ("deny", "pay"), (0, 1), ("50",)),
    Deed(1, "pay", "pay", "policy", 87, ("pay", "pay"), (2, 1), ("151",)),
)
FAULTS = (
    Deed(7, "pay", "pay", "history", 11, ("pay", "pay"), (2, 1), ("151",)),
    Deed(4, "pend", "deny", "history", 52, ("pend", "deny"), (0, 0), ("133", "97")),
    Deed(3, "deny", "deny", "engine", 33, ("deny", "deny"), (0, 0), ("11", "146")),
    Deed(2, NONE, "pay", "missing", 73, (NONE, "pay"), (0, 1)),
    Deed(1, NONE, "void", "missing", 74),
    Deed(2, "pay", NONE, "extra", 73, ("pay", NONE), (1, 0)),
    Deed(1, "pay", "deny", "tampered", 20, ("pay", "deny"), (2, 0), ("50",)),
)


def counted(deeds: tuple[Deed, ...], kind: Kind = "replay") -> Counts:
    """What these results come to.

    Where another basis is asked for, flows go from what the recorded one decides to what the other does,
    and faults of the record stand beside.
    """
    counts = Counts()
    for deed in deeds:
        is_fault = deed.cause in FAULTY
        if kind != "impact":
            counts.results_published += deed.count * (deed.before != NONE)
            counts.reproduced += deed.count * (not is_fault)
        counts.results_decided += deed.count * (deed.after != NONE)
        counts.events_replayed += deed.count * (deed.after != NONE)
        _flow(counts, deed.after if is_fault and kind == "what-if" else deed.before, deed)
        if deed.cause is not None:
            _differing(counts, deed, deed.cause)
    return counts


def _flow(counts: Counts, before: str, deed: Deed) -> None:
    if before == deed.after == NONE:
        return
    _put(counts.outcome_flows.setdefault(before, {}), deed.after, deed.count)
    if before != NONE:
        _put(counts.outcomes_before, before, deed.count)
    if deed.after != NONE:
        _put(counts.outcomes_after, deed.after, deed.count)


def _differing(counts: Counts, deed: Deed, cause: Cause) -> None:
    counts.claims_differing += deed.count
    _put(counts.results_by_cause, cause, deed.count)
    for index in range(deed.count):  # spread over a fortnight
        day = (FIRST_DAY + timedelta(days=deed.day + index % 14)).isoformat()
        _put(counts.causes_by_day.setdefault(day, {}), cause, 1)
        for carc in deed.carcs:
            _put(counts.carcs_by_day.setdefault(day, {}), carc, 1)
    if deed.line is not None:
        before, after = deed.line
        _put(counts.lines_by_cause, cause, deed.count)
        _put(counts.line_flows.setdefault(before, {}), after, deed.count)
        units = (deed.units[0] * deed.count, deed.units[1] * deed.count)
        amount = counts.amounts.setdefault(before, {}).setdefault(after, Amount())
        amount.add(Amount(deed.count, *units, charge_cents=deed.count * 98_725))


def _put(into: dict[str, int], name: str, count: int) -> None:
    into[name] = into.get(name, 0) + count


def digest(of: str) -> str:
    """A digest as results name them."""
    return f"sha256:{sha256(of.encode()).hexdigest()}"


def basis(where: str, policies: str, results: int) -> BasisSummary:
    """A basis with the package's code sets."""
    return BasisSummary(
        digest=digest(policies + CODE_SETS),
        engine="0.2.0",
        policies_digest=digest(policies),
        code_sets_digest=digest(CODE_SETS),
        where=where,
        results=results,
    )


def summary(kind: Kind, deeds: tuple[Deed, ...], **changes: Any) -> Summary:
    """A replay of these results, dealt to two partitions."""
    parts = {str(number): counted(deeds[number::2], kind) for number in range(2)}
    counts = Counts()
    for part in parts.values():
        counts.add(part)
    told = Summary(
        kind=kind,
        verdict="differs" if counts.results_differing else "reproduced",
        engine="0.2.0",
        window=Window(
            "2026-01-05T00:00:00Z", "2026-04-30T00:00:00Z", "2026-01-05T00:00:07Z", "2026-04-29T23:58:12Z"
        ),
        recorded=(basis("the package", POLICIES, counts.reproduced),),
        compared=None if kind == "replay" else basis("policies-2026-05", NEW_POLICIES, 0),
        look_back_days=400,
        max_bytes=1_048_576,
        max_day_lines=500,
        with_phi=False,
        shards=tuple(_shard(number, part) for number, part in enumerate(parts.values())),
        sources=tuple(
            source
            for number, part in enumerate(parts.values())
            for source in _sources(number, part, with_results=kind != "impact")
        ),
        counts=counts,
        by_partition=parts,
    )
    return msgspec.structs.replace(told, **changes)


def _shard(number: int, counts: Counts) -> Shard:
    end = 1_200 + counts.events_replayed
    return Shard(
        number, Span(0, end), Span(1_200, end), end + 40, Span(1_180, 1_180 + counts.results_published)
    )


def _sources(number: int, counts: Counts, *, with_results: bool) -> list[SourceSummary]:
    events, results = 1_200 + counts.events_replayed, counts.results_published
    read = [SourceSummary("events", "mms.claims.v1", number, 0, events, events, digest(f"e{number}")[7:])]
    if with_results:
        of = digest(f"r{number}")[7:]
        read.append(SourceSummary("results", "mms.results.v1", number, 1_180, 1_180 + results, results, of))
    return read


def reproduced() -> Summary:
    """A replay that found nothing."""
    return summary("replay", SAME)


def replayed() -> Summary:
    """A replay with the recorded basis that found every fault there is, and dead letters."""
    told = summary("replay", SAME + FAULTS)
    told.counts.events_rejected.update(contract=12, unknown_claim=3)
    told.counts.events_warmed_up = 2_400
    return told


def what_if() -> Summary:
    """A replay with another basis beside: every cause."""
    return summary("what-if", SAME + ASKED + FAULTS)


def impact() -> Summary:
    """New policies on old events."""
    return summary("impact", SAME + tuple(one for one in ASKED if one.cause == "policy"))


def finding(
    rule: str, verdict: str, version: str = "1", citation: str = "Indications, items 1 to 9"
) -> ShownFinding:
    """A finding with marks of a patient."""
    return ShownFinding(
        rule, verdict, "mms-medical-policy", version, citation, "secret-reason", "secret-evidence: 1.9"
    )


MET = finding("necessity.large-lesion", "met", citation="Indications, item 9")
NOT_MET = finding("necessity.indications", "not_met", "2")
PARENT = finding("structure.parent", "satisfied", citation="Add-on code edits, primary codes")


def line(
    number: int,
    decision: str,
    findings: tuple[ShownFinding, ...],
    *,
    differs: bool,
    units: int | None = 1,
    codes: str = "",
) -> ShownLine:
    """A line with marks of a patient."""
    asked = "histology diameter_cm" if decision == "pend" else ""
    return ShownLine(number, decision, units, codes, findings, differs, asked, "17311 RT secret-billed")


def result(
    outcome: str, lines: tuple[ShownLine, ...], policies: str = POLICIES, engine: str = "0.2.0"
) -> ShownResult:
    """A first revision."""
    name = sha256(f"{outcome}{policies}{len(lines)}".encode()).hexdigest()
    return ShownResult(
        f"{name[:8]}-5f0a-5c11-9a2b-{name[:12]}", 1, outcome, policies, CODE_SETS, engine, lines
    )


PAID = result(
    "pay", (line(1, "pay", (MET,), differs=True), line(2, "pay", (PARENT,), differs=False, units=2))
)
DENIED_LINES = (
    line(1, "deny", (NOT_MET,), differs=True, units=0, codes="CO-50:N130"),
    line(2, "pay", (PARENT,), differs=False, units=2),
)
DENIED = result("partial", DENIED_LINES)
DENIED_BY_NEW = result("partial", DENIED_LINES, NEW_POLICIES)
PAID_BY_OLD_ENGINE = msgspec.structs.replace(PAID, engine="0.1.0")
PENDED = result(
    "pend",
    (
        line(
            1,
            "pend",
            (finding("necessity.indications", "unknown"),),
            differs=True,
            units=None,
            codes="OA-133",
        ),
    ),
)
VOIDED = result("void", ())
WHYS: dict[Cause, str] = {
    "policy": "Decided by mms-medical-policy 2 instead of 1, and by nothing else that is other.",
    "code_set": "Decided by another ncci-mue, and by nothing else that is other.",
    "history": "The digest of the history that the result names is not that of the member's events here.",
    "engine": "The result names the rules of version 0.1.0; version 0.2.0 decided again.",
    "missing": "The event calls for a result; the topic has none for it.",
    "extra": "The same result was published before, at another place.",
    "tampered": "Policies, code sets, history and rules are those that it names, yet its bytes are others.",
}


def example(cause: Cause, place: int = 0, claim: str | None = None) -> Example:
    """A claim that differs for this cause."""
    sides: dict[Cause, tuple[ShownResult | None, ShownResult | None]] = {
        "policy": (PAID, DENIED_BY_NEW),
        "history": (PENDED, DENIED),
        "engine": (PAID_BY_OLD_ENGINE, DENIED),
        "missing": (None, VOIDED),
        "extra": (PAID, None),
    }
    before, after = sides.get(cause, (PAID, DENIED))
    return Example(
        partition=place % 2,
        offset=None if cause == "extra" else 1_200 + 17 * place,
        result_offset=None if cause == "missing" else 1_180 + 17 * place,
        event_type=None if cause == "extra" else "mms.claim.submitted.v1",
        claim_id=claim if claim is not None else f"CLM-2026-{40_117 + 31 * place}",
        cause=cause,
        why=WHYS[cause],
        before=before,
        after=after,
        member_id="MBR-SECRET",
    )


def examples(of: Summary) -> list[Example]:
    """The first hundred, by cause in turn."""
    left = dict(of.counts.results_by_cause)
    shown: list[Example] = []
    while left and len(shown) < 100:
        for cause in list(left):
            shown.append(example(cause, len(shown)))
            left[cause] -= 1
            if not left[cause]:
                del left[cause]
    return shown[:100]
