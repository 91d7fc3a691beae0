"""The stories of members (``tests/cases/stories/``), decided in every order in which their events can come.

A story tells a member's events and what becomes of every claim, whichever order they come in, so long as
each claim comes before the events about it. Up to 720 orders all are tried, else a sample of them; after the
same set of events (the first few, too) the same must have become of each claim.

An event is one of

- ``{ claim = ID, lines = [...] }``, its lines in short form (``tests/adjudication/historykit.py`` has it,
  and what an ordinary claim is); it may have ``frequency`` and ``original``, ``received``, ``npi``, ``tin``,
  ``payer``, ``diagnoses`` and records;
- ``{ documentation = ID, received = DATE }`` with records that came for the claim;
- ``{ expired = ID }``, the end of the time for its records; or ``{ voided = ID }``.

Each may have an ``id`` and a ``source`` of its own. Records are ``immunosuppressed`` and ``lesions``. A
lesion with ``absent = true`` has every fact of necessity documented as not so, but for those it states
itself; ``null`` names facts that are null, ``stages`` counts the blocks of each stage (0: not documented).
``undecided = LESION`` are records that settle all of a lesion but its diameter, so that on the trunk Mohs
surgery is necessary from 2.0 cm on.

``expect`` has each claim's lines in order, or "void"; the outcome follows from the lines, as the contract
folds it. A line is written ``DECISION [UNITS] [CODES] [by RULES] [for FACTS]``: the rules are those of all
determining findings (of a paid line: some of them), the facts those needed; a pend without them needs none.
Every pend has the code OA-133.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeAlias

import orjson
import pytest

from tests.adjudication.historykit import (
    READJUDICATED,
    Final,
    claim,
    count_orders,
    decided,
    documentation,
    event,
    expiry,
    ledger_of,
    stroll,
    void,
    walk,
)
from tests.tables import entries
from worker.adjudication.claim import Event

Story: TypeAlias = dict[str, Any]

TABLES = sorted((Path(__file__).parent / "cases" / "stories").glob("*.toml"))
ALL_ORDERS = 720
SAMPLE = 240

STORY_KEYS = {"name", "cites", "events", "expect"}
LINE = re.compile(
    r"(pay \d+|deny|pend|not_reviewed)( [A-Z]{2}-\w+| [MN]\d+)*"
    r"( by (?P<rules>[a-z0-9-]+\.[a-z0-9-]+( [a-z0-9-]+\.[a-z0-9-]+)*))?( for (?P<facts>[a-z_ ]+))?"
)


STORIES = list(entries(TABLES, "story"))


def _events(story: Story) -> list[Event]:
    return [_event(told, f"evt-{number}") for number, told in enumerate(story["events"], start=1)]


def _event(told: Story, id_: str) -> Event:
    rest = {key: value for key, value in told.items() if key not in {"id", "source"}}
    if "claim" in rest:
        data = claim(rest.pop("claim"), *rest.pop("lines"), **rest)
    elif "documentation" in rest:
        data = documentation(rest.pop("documentation"), rest.pop("received"), **rest)
    elif "expired" in rest:
        data = expiry(rest["expired"])
    else:
        data = void(rest["voided"])
    return event(data, told.get("id", id_), told.get("source", "/tests"))


@pytest.mark.parametrize("story", STORIES)
def test_a_story_ends_as_it_says_in_whichever_order_its_events_come(story: Story) -> None:
    told = _events(story)
    seen = walk(told) if count_orders(told) <= ALL_ORDERS else stroll(told, SAMPLE)
    finals = seen[frozenset(range(len(told)))]
    billed = {one["claim"]: one["lines"] for one in story["events"] if "claim" in one}
    assert {claim_id: _words(final, story["expect"][claim_id]) for claim_id, final in finals.items()} == (
        story["expect"]
    )
    for claim_id, final in finals.items():
        assert final.outcome == _outcome(story["expect"][claim_id], billed[claim_id])


@pytest.mark.parametrize("story", STORIES)
def test_telling_a_story_twice_publishes_and_stores_nothing_new(story: Story) -> None:
    told = _events(story)
    history = ledger_of(told).history
    for one in told:
        again = decided(one, history)
        assert (again.results, again.history) == ((), None)


def _words(final: Final, expected: list[str] | str) -> list[str] | str:
    """What became of a claim, in the words of the story; what it leaves unsaid of a paid line is left out."""
    lines = orjson.loads(final.lines)
    if final.outcome == "void":
        assert (lines, orjson.loads(final.needed)) == ([], [])
        return "void"
    needed = {one["line"]: one["facts"] for one in orjson.loads(final.needed)}
    assert [one["line"] for one in lines] == sorted(one["line"] for one in lines)
    asked = expected if isinstance(expected, list) else []
    return [
        _line_words(one, needed.get(one["line"], []), asked[place] if place < len(asked) else "")
        for place, one in enumerate(lines)
    ]


def _line_words(said: Story, needed: list[str], expected: str) -> str:
    wanted = LINE.fullmatch(expected)
    rules = {finding["rule"] for finding in said["findings"]} - {READJUDICATED}
    named = (wanted["rules"] or "").split() if wanted else []
    asked = (wanted["facts"] or "").split() if wanted else []
    words = [said["decision"]]
    if said["decision"] == "pay":
        words.append(str(said["units_allowed"]))
        rules &= set(named)
    codes = [" ".join([f"{one['group']}-{one['carc']}", *one["rarc"]]) for one in said["adjustments"]]
    if said["decision"] == "pend":
        assert codes == ["OA-133"]
    else:
        words += codes
    for label, order, found in (("by", named, rules), ("for", asked, set(needed))):
        if found:
            words += [label, *(word for word in order if word in found), *sorted(found.difference(order))]
    return " ".join(words)


def _outcome(expected: list[str] | str, billed: list[str]) -> str:
    """The outcome that follows from a claim's lines: pend first, then all paid, all denied, else partial."""
    if expected == "void":
        return "void"
    said = {one.split()[0] for one in expected} - {"not_reviewed"}
    if not said:
        return "out_of_scope"
    if "pend" in said:
        return "pend"
    if len(said) > 1:
        return "partial"
    in_full = all(
        _units(short) == int(one.split()[1])
        for short, one in zip(billed, expected, strict=True)
        if one.startswith("pay")
    )
    return said.pop() if in_full else "partial"


def _units(short: str) -> int:
    found = re.search(r" x(\d+)", short)
    return int(found[1]) if found else 1


@pytest.mark.parametrize("story", STORIES)
def test_a_story_says_what_it_expects_and_where_it_is_written(story: Story) -> None:
    assert set(story) == STORY_KEYS
    assert re.match(r"policy (§\d|Hard cases)|contract, ", story["cites"])
    claims = {one["claim"] for one in story["events"] if "claim" in one}
    assert claims == set(story["expect"])
    for expected in story["expect"].values():
        assert expected == "void" or all(LINE.fullmatch(one) for one in expected)


def test_no_two_stories_have_the_same_name() -> None:
    names = [parameter.id for parameter in STORIES]
    assert len(set(names)) == len(names)
