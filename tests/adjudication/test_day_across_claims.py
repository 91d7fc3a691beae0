"""A member's day over several claims: what no claim on its own can bring about (policy §§0, 4, 5 and 6).

Every case is decided in every order in which its claims can come in, and always alike. Unless a case says
otherwise a claim is received on 2026-05-04 from one practice (rendering NPI "N", TIN "T") and is for C44.311:
the nose, so that Mohs surgery is necessary and coded 17311.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import cache
from itertools import permutations
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from worker.adjudication import Reference
from worker.adjudication.claim import (
    BillingProvider,
    Claim,
    Documentation,
    Lesion,
    Line,
    RenderingProvider,
    Stage,
)
from worker.adjudication.day import decide_day
from worker.adjudication.enrich import enrich
from worker.adjudication.outcome import line_decision, needed
from worker.adjudication.result import LineDecision
from worker.adjudication.service import Rank, Service
from worker.reference import load_reference

DAY = date(2026, 4, 28)
NOSE, TRUNK, UNLISTED = "C44.311", "C44.519", "L57.0"
EARLIER, LATER = date(2026, 5, 1), date(2026, 5, 9)

Decided = dict[tuple[str, int], LineDecision]


def line(procedure: str, *modifiers: str, **given: Any) -> Line:
    """A line of one unit for the first diagnosis; ``claim`` numbers it."""
    return Line(
        1,
        procedure,
        modifiers,
        given.get("units", 1),
        (1,),
        DAY,
        given.get("charge", "100.00"),
        given.get("lesion"),
    )


def claim(claim_id: str, *lines: Line, **given: Any) -> Claim:
    """A claim of those lines, all else as the module says or as ``given``."""
    npi, lesions = given.get("npi", "N"), given.get("lesions")
    immunosuppressed = given.get("immunosuppressed")
    documented = lesions is not None or immunosuppressed is not None
    return Claim(
        claim_id,
        "MBR-1",
        given.get("payer", "BCBSND"),
        "1",
        given.get("received", date(2026, 5, 4)),
        BillingProvider("B", given.get("tin", "T")),
        (given.get("diagnosis", NOSE),),
        tuple(replace(one, line=number) for number, one in enumerate(lines, 1)),
        rendering_provider=RenderingProvider(npi) if npi is not None else None,
        documentation=Documentation(immunosuppressed, lesions) if documented else None,
    )


def lesion(
    name: str, site: str | None = "nose", stages: Iterable[int | None] | None = None, **facts: Any
) -> Lesion:
    """Records of a lesion, with the blocks of each stage."""
    counted = None if stages is None else tuple(Stage(blocks) for blocks in stages)
    return Lesion(name, site=site, stages=counted, **facts)  # type: ignore[arg-type]


@cache
def reference() -> Reference:
    return load_reference()


def services_of(claims: Iterable[Claim]) -> list[Service]:
    tables = reference().code_sets.on(DAY)
    return [
        enrich(
            one, each, Rank(one.received_date, one.claim_id), reference().rulebook(one.payer_id, DAY), tables
        )
        for one in claims
        for each in one.lines
    ]


def decide(claims: Iterable[Claim]) -> Decided:
    services = services_of(claims)
    decide_day(services, DAY)
    return {(each.claim.claim_id, each.line.line): line_decision(each) for each in services}


def words(decision: LineDecision) -> str:
    """A decision as the tables write it: "pay 1", "pay 1 CO-151 N362", "deny OA-18", "pend"."""
    said: list[str] = [decision.decision]
    if decision.decision == "pay":
        said.append(str(decision.units_allowed))
    if decision.decision != "pend":
        for one in decision.adjustments:
            said += [f"{one.group}-{one.carc}", *one.rarc]
    return " ".join(said)


class Case(NamedTuple):
    name: str
    claims: list[Claim]
    expect: dict[str, str]
    """What becomes of the lines of each claim, in their order, separated by semicolons."""


PAY, PEND = "pay 1", "pend"
BUNDLED, DUPLICATE = "deny CO-97 M15", "deny OA-18"
NOT_NECESSARY = "deny CO-50 N130"
OVER, UNMARKED = "deny CO-151 N362", "deny CO-4 N822"
NO_PARENT, DENIED_PARENT = "deny CO-107 N122", "deny CO-B15 N674"

MOHS = line("17311", lesion="A")
PATHOLOGY = line("88305")
PENDED = {"diagnosis": TRUNK}
"""With 17313: the trunk is no indication by itself, and there are no records."""

RELATION = [
    Case(f"{name}: {'related' if related else 'unrelated'}",
         [claim("M", MOHS, npi=npi, tin=tin), claim("P", PATHOLOGY, npi=other_npi, tin=other_tin)],
         {"M": PAY, "P": BUNDLED if related else PAY})
    for name, npi, tin, other_npi, other_tin, related in [
        ("same rendering provider and practice", "N", "T", "N", "T", True),
        ("same rendering provider, another practice", "N", "T", "N", "U", True),
        ("another rendering provider, same practice", "N", "T", "O", "T", True),
        ("another rendering provider and practice", "N", "T", "O", "U", False),
        ("same rendering provider, TINs missing", "N", None, "N", None, True),
        ("same rendering provider, one TIN missing", "N", "T", "N", None, True),
        ("same practice, rendering providers missing", None, "T", None, "T", True),
        ("same practice, one rendering provider missing", "N", "T", None, "T", True),
        ("rendering providers and TINs missing", None, None, None, None, False),
        ("TINs missing, another rendering provider", "N", None, "O", None, False),
        ("rendering providers missing, another practice", None, "T", None, "U", False),
        ("one has only a provider, the other only a practice", "N", None, None, "T", False),
        ("an NPI that is the other's TIN", "X", "T", "N", "X", False),
    ]
]  # fmt: skip
RELATION += [
    Case("a claim between two relates to both, and they not to each other",
         [claim("1", MOHS, npi="N", tin="T"), claim("2", PATHOLOGY, npi="N", tin="U"),
          claim("3", line("88305", units=2), npi="O", tin="U")],
         {"1": PAY, "2": BUNDLED, "3": "pay 2"}),
    Case("lines of two payers' claims are related too",
         [claim("M", MOHS), claim("P", PATHOLOGY, payer="CANDIDACY")],
         {"M": PAY, "P": BUNDLED}),
]  # fmt: skip

OTHER_LESION = (lesion("B", "arm"),)
RECURRENT = (lesion("A", "trunk", recurrent=True),)
BUNDLING = [
    Case("pathology that came first bundles into Mohs surgery",
         [claim("M", MOHS, received=LATER), claim("P", PATHOLOGY, received=EARLIER)],
         {"M": PAY, "P": BUNDLED}),
    Case("pathology that came later bundles into Mohs surgery",
         [claim("M", MOHS, received=EARLIER), claim("P", PATHOLOGY, received=LATER)],
         {"M": PAY, "P": BUNDLED}),
    Case("a biopsy that came first bundles into Mohs surgery",
         [claim("M", MOHS, received=LATER), claim("P", line("11102"), received=EARLIER)],
         {"M": PAY, "P": BUNDLED}),
    Case("pathology of another lesion that its own claim documents is paid",
         [claim("M", MOHS), claim("P", line("88305", "59", lesion="B"), lesions=OTHER_LESION)],
         {"M": PAY, "P": PAY}),
    Case("the records of the Mohs claim do not document the lesion of a pathology claim",
         [claim("M", MOHS, lesions=(lesion("A"), *OTHER_LESION)),
          claim("P", line("88305", "59", lesion="B"))],
         {"M": PAY, "P": PEND}),
    Case("pathology of the lesion that another claim's Mohs line names is bundled in spite of a modifier",
         [claim("M", MOHS), claim("P", line("88305", "59", lesion="A"), lesions=(lesion("A"),))],
         {"M": PAY, "P": BUNDLED}),
    Case("a biopsy that names no lesion is for one that its records list and no Mohs line names",
         [claim("M", MOHS), claim("P", line("11102", "59"), lesions=(lesion("A"), *OTHER_LESION))],
         {"M": PAY, "P": PAY}),
    Case("a biopsy that names no lesion pends when a Mohs line names the only one on record",
         [claim("M", MOHS), claim("P", line("11102", "59"), lesions=(lesion("A"),))],
         {"M": PAY, "P": PEND}),
    Case("a denied Mohs line names its lesion too",
         [claim("D", MOHS, diagnosis=UNLISTED), claim("M", line("17311", "59", lesion="C")),
          claim("P", line("11102", "59"), lesions=(lesion("A"),))],
         {"D": NOT_NECESSARY, "M": PAY, "P": PEND}),
    Case("beside denied Mohs surgery pathology is paid",
         [claim("M", MOHS, diagnosis=UNLISTED), claim("P", PATHOLOGY)],
         {"M": NOT_NECESSARY, "P": PAY}),
    Case("beside pended Mohs surgery pathology pends",
         [claim("M", line("17313", lesion="A"), **PENDED), claim("P", PATHOLOGY)],
         {"M": PEND, "P": PEND}),
    Case("one paid Mohs claim settles what a pended one leaves open",
         [claim("1", line("17313", lesion="A"), **PENDED), claim("2", line("17311", lesion="C")),
          claim("P", PATHOLOGY)],
         {"1": PEND, "2": PAY, "P": BUNDLED}),
    Case("a repair on another claim is paid",
         [claim("M", MOHS), claim("R", line("14060"))], {"M": PAY, "R": PAY}),
    Case("a visit that was billed first is not paid beside Mohs surgery",
         [claim("M", MOHS, received=LATER), claim("V", line("99213"), received=EARLIER)],
         {"M": PAY, "V": "deny CO-236 N20"}),
    Case("a visit with 25 is paid beside Mohs surgery on another claim",
         [claim("M", MOHS), claim("V", line("99213", "25"))], {"M": PAY, "V": PAY}),
    Case("a visit beside pended Mohs surgery pends",
         [claim("M", line("17313", lesion="A"), **PENDED), claim("V", line("99213"))],
         {"M": PEND, "V": PEND}),
    Case("a visit beside denied Mohs surgery is paid",
         [claim("M", MOHS, diagnosis=UNLISTED), claim("V", line("99213"))],
         {"M": NOT_NECESSARY, "V": PAY}),
    Case("Mohs surgery itself is not paid beside a column 1 service of another claim",
         [claim("M", line("17313", lesion="A"), diagnosis=TRUNK, lesions=RECURRENT),
          claim("1", line("11772"))],
         {"M": "deny CO-236 N20", "1": PAY}),
    Case("a column 1 service that is a duplicate edits no Mohs surgery",
         [claim("1", line("11772"), npi="N", tin="T"), claim("2", line("11772"), npi="N", tin="U"),
          claim("M", line("17313", lesion="A"), npi="O", tin="U", diagnosis=TRUNK, lesions=RECURRENT)],
         {"1": "not_reviewed", "2": DUPLICATE, "M": PAY}),
    Case("a visit on a claim that is not related is not reviewed",
         [claim("M", MOHS), claim("V", line("99213"), npi="O", tin="U")],
         {"M": PAY, "V": "not_reviewed"}),
]  # fmt: skip

FLAP = line("14060")
DUPLICATES = [
    Case("the claim received later is the duplicate, whatever its id",
         [claim("Z", FLAP, received=EARLIER), claim("A", FLAP, received=LATER)],
         {"Z": PAY, "A": DUPLICATE}),
    Case("of claims received on one day the greater id is the duplicate",
         [claim("A", FLAP), claim("B", FLAP)], {"A": PAY, "B": DUPLICATE}),
    Case("ids compare by code points, not as numbers",
         [claim("CLM-10", FLAP), claim("CLM-9", FLAP)], {"CLM-10": PAY, "CLM-9": DUPLICATE}),
    Case("ids compare by code points, capitals first",
         [claim("Z", FLAP), claim("a", FLAP)], {"Z": PAY, "a": DUPLICATE}),
    Case("of three the first stands",
         [claim("A", FLAP), claim("B", FLAP), claim("C", FLAP)],
         {"A": PAY, "B": DUPLICATE, "C": DUPLICATE}),
    Case("a duplicate of a denied line is a duplicate",
         [claim("A", MOHS, diagnosis=UNLISTED), claim("B", MOHS)],
         {"A": NOT_NECESSARY, "B": DUPLICATE}),
    Case("a duplicate of a pended line is a duplicate",
         [claim("A", line("17313", lesion="A"), **PENDED), claim("B", line("17313", lesion="A"), **PENDED)],
         {"A": PEND, "B": DUPLICATE}),
    Case("validity is asked before duplicates",
         [claim("A", MOHS), claim("B", MOHS, diagnosis="C44.31")],
         {"A": PAY, "B": "deny CO-146 M81"}),
    Case("duplicates are asked before necessity",
         [claim("A", MOHS), claim("B", MOHS, diagnosis=UNLISTED)], {"A": PAY, "B": DUPLICATE}),
    Case("the charge is ignored",
         [claim("A", FLAP), claim("B", line("14060", charge="99.99"))], {"A": PAY, "B": DUPLICATE}),
    Case("modifiers compare as a set",
         [claim("A", line("14060", "59", "LT")), claim("B", line("14060", "LT", "59", "LT"))],
         {"A": PAY, "B": DUPLICATE}),
    Case("another modifier is no duplicate",
         [claim("A", FLAP), claim("B", line("14060", "LT"))], {"A": PAY, "B": PAY}),
    Case("another lesion is no duplicate",
         [claim("A", line("14060", lesion="A")), claim("B", line("14060", lesion="B"))],
         {"A": PAY, "B": PAY}),
    Case("a lesion and none are no duplicates",
         [claim("A", line("14060", lesion="A")), claim("B", FLAP)], {"A": PAY, "B": PAY}),
    Case("other units are no duplicate",
         [claim("A", line("88305", units=2)), claim("B", line("88305", units=3))],
         {"A": "pay 2", "B": "pay 3"}),
    Case("another procedure is no duplicate",
         [claim("A", line("14060")), claim("B", line("14040"))], {"A": PAY, "B": PAY}),
    Case("lines of one claim are no duplicates of each other",
         [claim("A", FLAP, FLAP)], {"A": "pay 1; pay 1"}),
    Case("both lines of the later claim are duplicates of the one line",
         [claim("A", FLAP), claim("B", FLAP, FLAP)], {"A": PAY, "B": f"{DUPLICATE}; {DUPLICATE}"}),
    Case("a line of a claim that is not related is no duplicate",
         [claim("A", FLAP), claim("B", FLAP, npi="O", tin="U")], {"A": PAY, "B": PAY}),
    Case("a line that is not reviewed is no duplicate",
         [claim("A", line("11980")), claim("B", line("11980"))],
         {"A": "not_reviewed", "B": "not_reviewed"}),
    Case("a lesion that only the records give is not as billed",
         [claim("A", line("17311", lesion="A")), claim("B", line("17311"), lesions=(lesion("A"),))],
         {"A": PAY, "B": BUNDLED}),
]  # fmt: skip

FIRST_STAGES = [
    Case("a second first stage of the same lesion is denied on the later claim",
         [claim("1", MOHS), claim("2", line("17311", "59", lesion="A"))], {"1": PAY, "2": BUNDLED}),
    Case("the claim received earlier keeps the lesion, whatever its id",
         [claim("2", MOHS, received=EARLIER), claim("1", line("17311", "59", lesion="A"), received=LATER)],
         {"2": PAY, "1": BUNDLED}),
    Case("17313 is a first stage of the same lesion as 17311",
         [claim("1", line("17311", lesion="A"), diagnosis=TRUNK,
                lesions=(lesion("A", "trunk", recurrent=True, direct_involvement=("muscle",)),)),
          claim("2", line("17313", lesion="A"), diagnosis=TRUNK,
                lesions=(lesion("A", "trunk", recurrent=True),))],
         {"1": PAY, "2": BUNDLED}),
    Case("another lesion needs 59 or XS on the later claim",
         [claim("1", MOHS), claim("2", line("17311", lesion="B"))], {"1": PAY, "2": UNMARKED}),
    Case("another lesion with 59 is paid",
         [claim("1", MOHS), claim("2", line("17311", "59", lesion="B"))], {"1": PAY, "2": PAY}),
    Case("another lesion with XS is paid",
         [claim("1", MOHS), claim("2", line("17311", "XS", lesion="B"))], {"1": PAY, "2": PAY}),
    Case("the modifier on the earlier claim does not help the later one",
         [claim("1", line("17311", "59", lesion="A")), claim("2", line("17311", lesion="B"))],
         {"1": PAY, "2": UNMARKED}),
    Case("17311 and 17313 of two lesions need no modifier",
         [claim("1", MOHS), claim("2", line("17313", lesion="B"), diagnosis=TRUNK,
                                  lesions=(lesion("B", "trunk", recurrent=True),))],
         {"1": PAY, "2": PAY}),
    Case("a denied first stage keeps no place",
         [claim("1", MOHS, diagnosis=UNLISTED), claim("2", line("17311", "59", lesion="A"))],
         {"1": NOT_NECESSARY, "2": PAY}),
    Case("behind a pended first stage of the lesion the later one pends",
         [claim("1", line("17313", lesion="A"), **PENDED),
          claim("2", line("17313", "59", lesion="A"), diagnosis=TRUNK,
                lesions=(lesion("A", "trunk", recurrent=True),))],
         {"1": PEND, "2": PEND}),
    Case("behind a pended one and a paid one the third is denied",
         [claim("1", line("17313", lesion="A"), **PENDED),
          claim("2", line("17313", "59", lesion="B"), diagnosis=TRUNK,
                lesions=(lesion("B", "trunk", recurrent=True),)),
          claim("3", line("17313", lesion="C"), diagnosis=TRUNK,
                lesions=(lesion("C", "trunk", recurrent=True),))],
         {"1": PEND, "2": PAY, "3": UNMARKED}),
    Case("the same lesion on claims that are not related is paid on both",
         [claim("1", MOHS), claim("2", MOHS, npi="O", tin="U")], {"1": PAY, "2": PAY}),
]  # fmt: skip

UNITS = [
    Case("units of earlier claims count up to the limit of 16",
         [claim("1", line("88305", units=10)), claim("2", line("88305", units=6))],
         {"1": "pay 10", "2": "pay 6"}),
    Case("units of earlier claims count above the limit of 16",
         [claim("1", line("88305", units=10)), claim("2", line("88305", units=7))],
         {"1": "pay 10", "2": OVER}),
    Case("the earlier claim keeps its units, whatever its id",
         [claim("2", line("88305", units=10), received=EARLIER),
          claim("1", line("88305", units=7), received=LATER)],
         {"2": "pay 10", "1": OVER}),
    Case("a denied claim keeps no units from the next",
         [claim("1", line("88305", units=10)), claim("2", line("88305", units=7)),
          claim("3", line("88305", units=6))],
         {"1": "pay 10", "2": OVER, "3": "pay 6"}),
    Case("a claim over the limit by itself keeps none from the next",
         [claim("1", line("88305", units=17)), claim("2", line("88305", units=16))],
         {"1": OVER, "2": "pay 16"}),
    Case("all lines of the claim that is over are denied",
         [claim("1", line("88305", units=10)), claim("2", line("88305", units=4), line("88305", units=3))],
         {"1": "pay 10", "2": f"{OVER}; {OVER}"}),
    Case("units of a claim that is not related do not count",
         [claim("1", line("88305", units=10)), claim("2", line("88305", units=7), npi="O", tin="U")],
         {"1": "pay 10", "2": "pay 7"}),
    Case("a code that no policy names is reviewed on the claim that goes over",
         [claim("1", line("11600", units=2)), claim("2", line("11600", "59", units=1))],
         {"1": "not_reviewed", "2": OVER}),
    Case("a code that no policy names is not reviewed up to the limit",
         [claim("1", line("11600", units=1)), claim("2", line("11600", "59", units=1))],
         {"1": "not_reviewed", "2": "not_reviewed"}),
    Case("of a limited first stage the kept unit counts: 1 and 3 are within 4",
         [claim("1", line("17311", lesion="A", units=4)),
          claim("2", line("17311", "59", lesion="B", units=3))],
         {"1": "pay 1 CO-151 N362", "2": "pay 1 CO-151 N362"}),
    Case("a line's own billed units count: 1 and 4 are above 4",
         [claim("1", line("17311", lesion="A", units=4)),
          claim("2", line("17311", "59", lesion="B", units=4))],
         {"1": "pay 1 CO-151 N362", "2": OVER}),
    Case("an earlier pended line may keep its units or none",
         [claim("1", line("17313", "59", units=2), **PENDED),
          claim("2", line("17313", "59", lesion="B", units=2), diagnosis=TRUNK,
                lesions=(lesion("B", "trunk", recurrent=True),))],
         {"1": PEND, "2": PEND}),
    Case("over the limit whichever way the earlier pended line ends",
         [claim("1", line("17313", "59", units=2), **PENDED),
          claim("2", line("17313", "59", lesion="B", units=4), diagnosis=TRUNK,
                lesions=(lesion("B", "trunk", recurrent=True),))],
         {"1": PEND, "2": OVER}),
]  # fmt: skip

THREE_STAGES = (lesion("A", stages=[1, 1, 1]),)
DEEP: dict[str, Any] = {"recurrent": True, "direct_involvement": ("muscle",)}
DOCUMENTED = [
    Case("what the records leave is shared by the claims",
         [claim("1", MOHS, line("17312", lesion="A")),
          claim("2", line("17312", lesion="A", units=2), lesions=THREE_STAGES)],
         {"1": "pay 1; pay 1", "2": "pay 1 CO-151 N362"}),
    Case("what the records bear out is paid in full",
         [claim("1", MOHS, line("17312", lesion="A")),
          claim("2", line("17312", "59", lesion="A"), lesions=THREE_STAGES)],
         {"1": "pay 1; pay 1", "2": PAY}),
    Case("when the earlier claim used all, nothing is left",
         [claim("1", MOHS, line("17312", lesion="A", units=2)),
          claim("2", line("17312", lesion="A"), lesions=THREE_STAGES)],
         {"1": "pay 1; pay 2", "2": OVER}),
    Case("the earlier claim's own records limit only itself",
         [claim("1", MOHS, line("17312", lesion="A", units=2), lesions=THREE_STAGES),
          claim("2", line("17312", lesion="A"))],
         {"1": "pay 1; pay 2", "2": PAY}),
    Case("units of another lesion do not count",
         [claim("1", MOHS, line("17312", lesion="A", units=2)),
          claim("2", line("17311", "59", lesion="B"), line("17312", lesion="B"),
                lesions=(lesion("B", stages=[1, 1]),))],
         {"1": "pay 1; pay 2", "2": "pay 1; pay 1"}),
    Case("units of a claim that is not related do not count",
         [claim("1", MOHS, line("17312", lesion="A", units=2)),
          claim("2", MOHS, line("17312", lesion="A", units=2), lesions=THREE_STAGES, npi="O", tin="U")],
         {"1": "pay 1; pay 2", "2": "pay 1; pay 2"}),
    Case("a denied earlier line leaves its units",
         [claim("1", MOHS), claim("2", line("17312", lesion="A"), diagnosis=UNLISTED),
          claim("3", line("17312", lesion="A", units=2), lesions=THREE_STAGES)],
         {"1": PAY, "2": NOT_NECESSARY, "3": "pay 2"}),
    Case("17314 has left what 17312 of another claim did not use",
         [claim("1", line("17311", lesion="A"), line("17312", lesion="A"), diagnosis=TRUNK,
                lesions=(lesion("A", "trunk", **DEEP),)),
          claim("2", line("17313", "59"), line("17314", lesion="A"), diagnosis=TRUNK,
                lesions=(lesion("A", "trunk", stages=[1, 1], **DEEP),), immunosuppressed=True)],
         {"1": "pay 1; pay 1", "2": f"pay 1; {OVER}"}),
    Case("17314 is within what 17312 of another claim left",
         [claim("1", line("17311", lesion="A"), line("17312", lesion="A"), diagnosis=TRUNK,
                lesions=(lesion("A", "trunk", **DEEP),)),
          claim("2", line("17313", "59"), line("17314", lesion="A"), diagnosis=TRUNK,
                lesions=(lesion("A", "trunk", stages=[1, 1, 1], **DEEP),), immunosuppressed=True)],
         {"1": "pay 1; pay 1", "2": "pay 1; pay 1"}),
    Case("blocks above five of each stage are shared by the claims",
         [claim("1", MOHS, line("17315", lesion="A", units=2)),
          claim("2", line("17315", lesion="A", units=3), lesions=(lesion("A", stages=[7, 3, 6]),))],
         {"1": "pay 1; pay 2", "2": "pay 1 CO-151 N362"}),
    Case("a stage without its blocks stops the check of 17315",
         [claim("1", MOHS, line("17315", lesion="A", units=2)),
          claim("2", line("17315", lesion="A", units=3), lesions=(lesion("A", stages=[7, None]),))],
         {"1": "pay 1; pay 2", "2": "pay 3"}),
]  # fmt: skip

PARENTS = [
    Case("a parent that was billed later on another claim serves",
         [claim("M", MOHS, received=LATER), claim("S", line("17312", lesion="A"), received=EARLIER)],
         {"M": PAY, "S": PAY}),
    Case("a parent of another lesion does not serve",
         [claim("M", MOHS), claim("S", line("17312", lesion="B"))], {"M": PAY, "S": NO_PARENT}),
    Case("a parent that names no lesion serves",
         [claim("M", line("17311")), claim("S", line("17312", lesion="B"))], {"M": PAY, "S": PAY}),
    Case("a denied parent does not serve",
         [claim("M", MOHS, diagnosis=UNLISTED), claim("S", line("17312", lesion="A"))],
         {"M": NOT_NECESSARY, "S": DENIED_PARENT}),
    Case("a parent that is itself a duplicate does not serve, the one it repeats does",
         [claim("1", MOHS), claim("2", MOHS), claim("S", line("17312", lesion="A"))],
         {"1": PAY, "2": DUPLICATE, "S": PAY}),
    Case("under a pended parent the add-on pends",
         [claim("M", line("17313", lesion="A"), **PENDED),
          claim("S", line("17314", lesion="A"), diagnosis=TRUNK,
                lesions=(lesion("A", "trunk", recurrent=True),))],
         {"M": PEND, "S": PEND}),
    Case("a parent on a claim that is not related does not serve",
         [claim("M", MOHS), claim("S", line("17312", lesion="A"), npi="O", tin="U")],
         {"M": PAY, "S": NO_PARENT}),
    Case("a further biopsy finds the first on another claim",
         [claim("1", line("11102"), received=LATER), claim("2", line("11103"), received=EARLIER)],
         {"1": PAY, "2": PAY}),
    Case("a further biopsy whose first is bundled into Mohs surgery is bundled too",
         [claim("M", MOHS), claim("1", line("11102")), claim("2", line("11103"))],
         {"M": PAY, "1": BUNDLED, "2": BUNDLED}),
    Case("a further frozen section hangs on the first of another claim",
         [claim("M", MOHS), claim("1", line("88331")),
          claim("2", line("88332", "59", lesion="B"), lesions=OTHER_LESION)],
         {"M": PAY, "1": BUNDLED, "2": DENIED_PARENT}),
    Case("a parent that is not reviewed counts as paid",
         [claim("1", line("17000")), claim("2", line("17003"))], {"1": "not_reviewed", "2": PAY}),
]  # fmt: skip

TABLES = {
    "relation": RELATION, "bundling": BUNDLING, "duplicates": DUPLICATES, "first stages": FIRST_STAGES,
    "units": UNITS, "documented units": DOCUMENTED, "parents": PARENTS,
}  # fmt: skip
CASES = [pytest.param(case, id=f"{area}: {case.name}") for area, table in TABLES.items() for case in table]


@pytest.mark.parametrize("case", CASES)
def test_a_day_is_decided_as_the_table_says_in_whichever_order_its_claims_come(case: Case) -> None:
    decided = decide(case.claims)
    seen = {
        one.claim_id: "; ".join(words(decided[one.claim_id, each.line]) for each in one.lines)
        for one in case.claims
    }
    assert seen == case.expect
    for order in permutations(case.claims):
        assert decide(order) == decided


def test_what_hangs_on_another_claims_line_asks_for_no_facts() -> None:
    records = (lesion("A", "trunk", recurrent=True),)
    services = services_of(
        [
            claim("1", line("17313", lesion="A"), **PENDED),
            claim("2", line("17313", "59", lesion="A"), diagnosis=TRUNK, lesions=records),
            claim("3", line("17314", lesion="A"), diagnosis=TRUNK, lesions=records),
            claim("4", line("88305")),
            claim("5", line("99213")),
        ]
    )
    decide_day(services, DAY)
    assert [service.status for service in services] == ["pend"] * 5
    assert [(one.line, one.lesion) for one in needed(services)] == [(1, "A")]
    assert needed(services[1:]) == ()


def test_evidence_names_the_other_claim_and_line() -> None:
    decided = decide([claim("1", FLAP, received=LATER), claim("2", line("14040"), FLAP, received=EARLIER)])
    (finding,) = decided["1", 1].findings
    assert finding.evidence == {"other_claim": "2", "other_line": 2, "other_procedure": "14060"}


def _busy_claims(prefix: str, **given: Any) -> list[Claim]:
    """Two claims of one practice that meet in every rule."""
    stages = [6, 7, 1]
    first = [MOHS, line("17312", lesion="A", units=3), line("88305", "59"), FLAP, line("99213")]
    second = [line("17311", lesion="B"), line("17315", lesion="A", units=4), line("11102"), FLAP]
    return [
        claim(f"{prefix}1", *first, lesions=(lesion("A", stages=stages), lesion("B", "arm")), **given),
        claim(f"{prefix}2", *second, lesions=(lesion("A", stages=stages),), received=LATER, **given),
    ]


def test_claims_of_unrelated_practices_do_not_touch_each_other() -> None:
    ours, theirs = _busy_claims("A"), _busy_claims("B", npi="O", tin="U")
    alone = decide(ours) | decide(theirs)
    assert {words(decision).split()[0] for decision in alone.values()} == {"pay", "deny", "pend"}
    assert decide([*ours, *theirs]) == alone
    assert decide([*theirs, *ours]) == alone
