"""The threat model's page names tests that are there, and links that lead somewhere."""

from __future__ import annotations

import re

import pytest

from tests.hook import ROOT

PAGE = ROOT / "deploy" / "security" / "README.md"
ROWS = [line for line in PAGE.read_text().splitlines() if line.startswith("|")][2:]
NAMED = re.compile(r"`((?:[\w/]+/)?(?:test_\w+\.py)?)((?:::\w+)*)`")


def shown_by(row: str) -> list[str]:
    """The tests of a row, each with its file."""
    cell = row.split("|")[4]
    found: list[str] = []
    for path, name in NAMED.findall(cell):
        found.append((path or found[-1].partition("::")[0]) + name)
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[2].strip()[:40])
def test_each_thing_that_stops_a_threat_names_tests_that_are_there(row: str) -> None:
    stops = row.split("|")[3].strip()
    named = shown_by(row)
    assert named or stops.startswith("nothing here")
    for one in named:
        path, *inner = one.split("::")
        place = ROOT / "tests" / path
        assert place.exists(), one
        for name in inner:
            assert re.search(rf"^\s*(?:class|(?:async )?def) {name}\b", place.read_text(), re.MULTILINE), one


def test_every_row_says_what_is_left() -> None:
    assert len(ROWS) > 10
    assert [row for row in ROWS if not row.split("|")[5].strip()] == []


def test_every_link_of_the_security_pages_leads_to_a_file() -> None:
    for page in [*PAGE.parent.glob("*.md"), ROOT / "SECURITY.md"]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
