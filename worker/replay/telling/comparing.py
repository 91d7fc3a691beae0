"""What two results of one claim say differently, line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from worker.adjudication.decide import READJUDICATED
from worker.adjudication.redacted import redacted

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.replay.reading.recorded import Recorded, RecordedLine, RecordedNeed
    from worker.replay.telling.differences import Change

MARK = b'"outcome":'
BASIS = b',"basis":'


@redacted
class Changed(NamedTuple):
    """A line that differs, or the result as a whole where ``line`` is None."""

    line: int | None
    change: Change
    before: RecordedLine | None
    after: RecordedLine | None


def changed_bytes(before: Recorded, after: Recorded) -> list[Changed]:
    """What differs between two results whose bytes do: their lines, or else the result as a whole."""
    return _changed_lines(before, after, lambda _: True) or [Changed(None, "bytes", None, None)]


def changed_by(before: Recorded, after: Recorded) -> list[Changed]:
    """What two results decide differently, of which one was decided by another basis.

    That a decision was made again is no difference, nor are texts, versions and citations. A claim that
    differs in no line but in its outcome has a row of its own.
    """
    lines = _changed_lines(before, after, lambda rule: rule != READJUDICATED)
    if lines or before.outcome == after.outcome:
        return lines
    return [Changed(None, "decision", None, None)]


def one_sided(said: Recorded | None, *, is_before: bool) -> list[Changed]:
    """The lines of a result that has no counterpart, or the result as a whole where it has none."""
    if said is None or not said.lines:
        return [Changed(None, "result", None, None)]
    return [
        Changed(line.line, "result", line if is_before else None, None if is_before else line)
        for line in said.lines
    ]


def is_same_content(before: bytes, after: bytes) -> bool:
    """Whether two results are the same bytes between their outcome and their basis: a quick yes."""
    return _content(before) == _content(after) != b""


def _content(value: bytes) -> bytes:
    return value[value.find(MARK) : value.rfind(BASIS)]


def _changed_lines(before: Recorded, after: Recorded, counts: Callable[[str], bool]) -> list[Changed]:
    mine = {line.line: line for line in before.lines}
    theirs = {line.line: line for line in after.lines}
    needs = {need.line: need for need in before.documentation_needed}
    other_needs = {need.line: need for need in after.documentation_needed}
    found = []
    for number in sorted({*mine, *theirs}):
        one, other = mine.get(number), theirs.get(number)
        change: Change | None
        if one is None or other is None:
            change = "result"
        else:
            change = _change(one, other, (needs.get(number), other_needs.get(number)), counts)
        if change is not None:
            found.append(Changed(number, change, one, other))
    return found


def _change(
    one: RecordedLine,
    other: RecordedLine,
    needs: tuple[RecordedNeed | None, RecordedNeed | None],
    counts: Callable[[str], bool],
) -> Change | None:
    """The weightiest thing in which two lines differ."""
    if one.decision != other.decision:
        return "decision"
    if one.units_allowed != other.units_allowed:
        return "units"
    if one.adjustments != other.adjustments:
        return "adjustments"
    if needs[0] != needs[1]:
        return "documentation"
    if rules_of(one, counts) != rules_of(other, counts):
        return "reasons"
    return None


def rules_of(line: RecordedLine, counts: Callable[[str], bool] = lambda _: True) -> list[tuple[str, str]]:
    """The rules that a line names, with their verdicts."""
    return [(one.rule, one.verdict) for one in line.findings if counts(one.rule)]
