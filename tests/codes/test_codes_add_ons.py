"""Add-on edits whose rows come into force and end within a release."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from worker.codes.catalog import load
from worker.codes.tables.add_ons import AddOnEdit, parse_add_ons, render_add_ons, tables_by_day

SOURCE = Path("add-ons.csv")


@pytest.mark.parametrize(
    ("day", "primaries"),
    [
        (date(2026, 4, 1), {"17311", "17313"}),
        (date(2026, 6, 30), {"17311", "17313"}),
        (date(2026, 7, 1), {"17311", "17314"}),
    ],
)
def test_a_primary_counts_up_to_its_deletion_and_from_its_effective_date(
    code_directory: Path, day: date, primaries: set[str]
) -> None:
    rows = [
        AddOnEdit("17315", "17311", 1),
        AddOnEdit("17315", "17313", 1, date(2020, 1, 1), date(2026, 6, 30)),
        AddOnEdit("17315", "17314", 1, date(2026, 7, 1)),
        AddOnEdit("17315", "17312", 1, date(2020, 1, 1), date(2025, 12, 31)),
    ]
    (code_directory / "ncci-aoc" / "2026-04-01_2026Q2.csv").write_text(render_add_ons(rows))
    tables = load(code_directory, draft=True).on(day)
    assert tables.add_ons["17315"] == (primaries, True)
    assert tables.releases["ncci-aoc"] == "2026Q2"


@pytest.mark.parametrize("first", [date(2026, 5, 1), date(2026, 6, 1)])
def test_a_day_decides_by_its_own_rows_whichever_day_was_asked_first(
    code_directory: Path, first: date
) -> None:
    rows = [AddOnEdit("17315", "17311", 1), AddOnEdit("17315", "17313", 1, date(2026, 6, 1))]
    (code_directory / "ncci-aoc" / "2026-04-01_2026Q2.csv").write_text(render_add_ons(rows))
    codes = load(code_directory, draft=True)
    codes.on(first)
    assert codes.on(date(2026, 5, 1)).add_ons["17315"].primaries == {"17311"}
    assert codes.on(date(2026, 6, 1)).add_ons["17315"].primaries == {"17311", "17313"}


def test_a_later_change_of_an_older_release_does_not_outlive_it(code_directory: Path) -> None:
    folder = code_directory / "ncci-aoc"
    (folder / "2026-04-01_2026Q2.csv").write_text(
        render_add_ons([AddOnEdit("17315", "17311", 1, None, date(2026, 12, 31))])
    )
    (folder / "2026-07-01_2026Q3.csv").write_text(render_add_ons([AddOnEdit("17315", "17313", 1)]))
    codes = load(code_directory, draft=True)
    assert codes.on(date(2026, 6, 30)).add_ons["17315"].primaries == {"17311"}
    assert codes.on(date(2027, 1, 1)).add_ons["17315"].primaries == {"17313"}


def test_a_code_of_which_no_row_applies_is_no_add_on() -> None:
    rows = [AddOnEdit("17315", "17311", 1, None, date(2026, 6, 30))]
    last, after = tables_by_day(rows, date(2026, 4, 1))
    assert "17315" in last[1]
    assert after == (date(2026, 7, 1), {})


@pytest.mark.parametrize(
    ("rows", "deniable"),
    [
        ([("17311", 1)], True),
        ([("17311", 3)], False),
        ([("CCCCC", 2)], False),
        ([("17311", 1), ("CCCCC", 3)], False),
        ([("17311", 1), ("17313", 3)], False),
    ],
)
def test_one_row_of_type_2_or_3_keeps_an_add_on_from_denial(
    rows: list[tuple[str, int]], deniable: bool
) -> None:
    edits = [AddOnEdit("88311", primary, edit_type) for primary, edit_type in rows]
    (_, table), *_ = tables_by_day(edits, date(2026, 4, 1))
    assert table["88311"].deniable is deniable
    assert "CCCCC" not in table["88311"].primaries


def test_rows_are_read_back_as_written() -> None:
    rows = [AddOnEdit("17315", "17311", 1, date(2013, 4, 1), None), AddOnEdit("20054", "CCCCC", 2)]
    assert parse_add_ons(render_add_ons(rows), SOURCE) == rows
