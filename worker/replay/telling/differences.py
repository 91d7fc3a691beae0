"""What a replay finds: a row a line that differs, and claims shown whole with both explanations."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from worker.adjudication.redacted import redacted

Cause: TypeAlias = Literal["policy", "code_set", "history", "engine", "missing", "extra", "tampered"]
"""Why a decision differs:

- ``policy``, ``code_set``: it was decided anew with others, on request.
- ``engine``: it was decided by rules of another version.
- ``history``: it says itself that it was decided with other events of the member before it.
- ``missing``: replaying gives a result that was never published.
- ``extra``: a result was published that replaying does not give, or once more than it does.
- ``tampered``: its own digests do not match: with what it says it was decided by, its bytes would be others.
"""

Change: TypeAlias = Literal["decision", "units", "adjustments", "documentation", "reasons", "bytes", "result"]
"""What differs, the weightiest first: of a line its decision, its units, its adjustments, what is asked for,
or only the rules that are named; ``bytes``: nothing of what is said of lines, but other bytes of the result;
``result``: there is no other result to compare with."""


@redacted
class Difference(Struct, frozen=True, kw_only=True):
    """A row of the tables. ``before`` is what was published, ``after`` what replaying gives.

    A result that differs in no line, or that has no lines, has one row whose ``line`` is null. Lists of
    codes are joined by a space, empty where there are none. Null where a side has no such line.
    """

    partition: int
    offset: int | None
    """Place of the event that brought the result about; null where there is no such event."""
    result_offset: int | None
    """Place of the published result; null where there is none."""
    event_type: str | None
    claim_id: str | None
    """Null where the published bytes tell none."""
    line: int | None
    cause: Cause
    change: Change
    outcome_before: str | None = None
    outcome_after: str | None = None
    decision_before: str | None = None
    decision_after: str | None = None
    units_before: int | None = None
    """Units allowed, as in the result: null on pend and not_reviewed."""
    units_after: int | None = None
    adjustments_before: str | None = None
    """As ``CO-50:N130``, RARCs joined by commas."""
    adjustments_after: str | None = None
    rules_before: str | None = None
    """As ``necessity.area=not_met``."""
    rules_after: str | None = None
    policies_before: str | None = None
    """As ``mms-coding=1 ncci=1``."""
    policies_after: str | None = None
    code_sets_before: str | None = None
    code_sets_after: str | None = None
    result_id_before: str | None = None
    result_id_after: str | None = None
    member_id: str | None = None
    """From here on only with ``--with-phi``."""
    procedure: str | None = None
    service_date: str | None = None
    units_billed: int | None = None
    charge: str | None = None


PHI_COLUMNS = ("member_id", "procedure", "service_date", "units_billed", "charge")
"""Left out of the tables unless asked for."""


@redacted
class ShownFinding(Struct, frozen=True):
    """A finding; ``reason`` and ``evidence`` (``name: value, …``) can tell of the patient: only with PHI."""

    rule: str
    verdict: str
    policy: str
    version: str
    citation: str
    reason: str | None = None
    evidence: str | None = None


@redacted
class ShownLine(Struct, frozen=True):
    """A line of a shown result."""

    line: int
    decision: str
    units_allowed: int | None
    adjustments: str
    """As in ``Difference``."""
    findings: tuple[ShownFinding, ...]
    differs: bool
    asked: str = ""
    """Facts asked for, joined by a space."""
    billed: str | None = None
    """Only with PHI: procedure, modifiers, units, charge and date, for a person."""


@redacted
class ShownResult(Struct, frozen=True):
    """A result, published or of the replay, as far as a report shows it."""

    result_id: str
    revision: int
    outcome: str
    policies: str
    code_sets: str
    engine: str
    lines: tuple[ShownLine, ...]


@redacted
class Example(Struct, frozen=True):
    """A claim whose decision differs, with both explanations; null where a side has no result."""

    partition: int
    offset: int | None
    result_offset: int | None
    event_type: str | None
    claim_id: str | None
    cause: Cause
    why: str
    """One plain sentence on how the cause was told, without values of fields."""
    before: ShownResult | None
    after: ShownResult | None
    member_id: str | None = None
    """Only with PHI."""
