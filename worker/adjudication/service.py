"""A billed line on its day of service, enriched, with what the rules have said of it so far."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Literal, NamedTuple, TypeAlias

from worker.adjudication.claim import Claim, Lesion, Line
from worker.adjudication.codesets import Tables
from worker.adjudication.facts import Facts
from worker.adjudication.finding import Evidence, Finding, Ruling
from worker.adjudication.redacted import redacted
from worker.adjudication.rulebook import MOHS_ROLES, Rulebook

Status: TypeAlias = Literal["pay", "pend", "deny"]
LesionKind: TypeAlias = Literal["named", "own", "any"]
"""Named; a lesion of its own (59 or XS without a name); or the same as any other (policy §3, "Lesion")."""


@redacted
class Rank(NamedTuple):
    """Place of a claim in every competition: the earlier keeps its place (policy §6)."""

    received_date: date
    claim_id: str
    own_id: str = ""
    """The claim's own id where it has the place of another: once the look-back has dropped claims in between,
    two that stand can have the same one, and still only one of them may keep it."""


class Service:
    """One line under decision. Rules append rulings; ``status`` and ``units`` follow from them.

    ``units`` is what the line keeps if it is paid: billed units until a rule limits them. ``indications``
    holds a finding for each indication asked, ``met`` those that are met. Only a ``traced`` service keeps
    what a result leaves out, ``indications`` among it, for people who ask why.
    """

    __slots__ = (
        "book", "claim", "diagnosis", "facts", "indications", "is_mohs", "lesion", "lesion_kind", "line",
        "met", "modifiers", "order", "procedure", "rank", "record", "related", "related_claims", "reviewed",
        "role", "rulings", "status", "tables", "traced", "units",
    )  # fmt: skip

    def __init__(self, claim: Claim, line: Line, rank: Rank, book: Rulebook, tables: Tables) -> None:
        self.claim = claim
        self.line = line
        self.rank = rank
        self.order = (rank, line.line)
        self.book = book
        self.tables = tables
        self.procedure = line.procedure
        self.modifiers = frozenset(line.modifiers)
        self.role = book.role(line.procedure)
        self.is_mohs = self.role in MOHS_ROLES
        self.lesion: str | None = line.lesion
        self.lesion_kind: LesionKind = "named" if line.lesion is not None else "any"
        self.record: Lesion | None = None
        self.diagnosis = ""
        self.facts: Facts | None = None
        self.indications: tuple[Finding, ...] = ()
        self.met: tuple[Finding, ...] = ()
        self.reviewed = self.role != "other" or line.procedure in tables.add_ons
        self.rulings: list[Ruling] = []
        self.traced = False
        self.status: Status = "pay"
        self.units = line.units
        self.related: Sequence[Service] = ()
        """The related lines of the day, itself among them, in the order of competition (policy §0); those of
        one claim have the same ones, and share one sequence."""
        self.related_claims: frozenset[str] = frozenset()
        """The ids of the claims that these are of."""

    @property
    def is_asked(self) -> bool:
        """Whether further rules are asked of the line; of a denied one only so that its trace is whole."""
        return self.status != "deny" or self.traced

    def record_ruling(self, ruling: Ruling) -> None:
        """Keep a ruling; deny outweighs pend, pend outweighs pay."""
        self.rulings.append(ruling)
        if ruling.effect == "deny":
            self.status = "deny"
        elif ruling.effect == "pend" and self.status == "pay":
            self.status = "pend"

    def note(self, rule: str, reason: str, evidence: Evidence = ()) -> None:
        """Keep, when traced, that a rule was asked and the line stands: no result shows it."""
        if self.traced:
            self.rulings.append(self.book.satisfied(rule, reason, evidence))

    def limit(self, units: int, ruling: Ruling) -> None:
        """Keep only ``units`` of the billed ones, at the most when the ruling is a pend."""
        self.record_ruling(ruling)
        if self.status != "deny":
            self.units = units

    def needed_facts(self) -> tuple[str, ...]:
        """The facts of which any one could settle a pend; none when it hangs on another line."""
        return tuple(dict.fromkeys(fact for ruling in self.rulings for fact in ruling.needed))

    def kept_units(self) -> tuple[int, int]:
        """Fewest and most units that the line can end with: a pended one may end with none."""
        if self.status == "deny":
            return 0, 0
        return (0 if self.status == "pend" else self.units), self.units

    def reference(self, to: Service) -> Evidence:
        """How evidence names another line: its claim only where that is another claim."""
        of = (("other_line", to.line.line), ("other_procedure", to.procedure))
        return of if to.claim is self.claim else (("other_claim", to.claim.claim_id), *of)
