"""Pairs of procedures: which rows apply on a day, and which of several speaks."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.codes.tables.pairs import Edit, parse_pairs, render_pairs

SOURCE = Path("edits.txt")
FIRST, LAST = date(2020, 1, 1), date(2020, 12, 31)


@pytest.mark.parametrize(
    ("day", "indicator"),
    [(date(2019, 12, 31), None), (FIRST, 1), (LAST, 1), (date(2021, 1, 1), None)],
)
def test_an_edit_applies_from_its_effective_to_its_deletion_date(day: date, indicator: int | None) -> None:
    pairs = parse_pairs(render_pairs([("17311", "88305", 1, FIRST, LAST)]), SOURCE)
    assert pairs.indicator("17311", "88305", day) == indicator


def test_without_dates_an_edit_always_applies() -> None:
    pairs = parse_pairs("17311 0 - - 88305\n", SOURCE)
    assert pairs.indicator("17311", "88305", date.min) == 0
    assert pairs.indicator("17311", "88305", date.max) == 0


@pytest.mark.parametrize(
    ("indicators", "speaks"), [((1, 0), 0), ((0, 1), 0), ((1, 1), 1), ((9, 1), 1), ((9, 0), 0), ((9,), None)]
)
def test_the_strictest_applying_row_speaks_and_9_never_does(
    indicators: tuple[int, ...], speaks: int | None
) -> None:
    rows = [("17311", "88305", indicator, None, LAST) for indicator in indicators]
    assert parse_pairs(render_pairs(rows), SOURCE).indicator("17311", "88305", FIRST) == speaks


def test_a_stricter_row_that_does_not_apply_is_silent() -> None:
    rows = [("17311", "88305", 0, None, date(2019, 12, 31)), ("17311", "88305", 1, FIRST, None)]
    assert parse_pairs(render_pairs(rows), SOURCE).indicator("17311", "88305", FIRST) == 1


CODES = st.sampled_from(["17311", "17312", "88305", "0213T", "G0416"])
DAYS = st.none() | st.dates(date(1996, 1, 1), date(2030, 12, 31))
ROWS = st.lists(st.tuples(CODES, CODES, st.sampled_from([0, 1, 9]), DAYS, DAYS), min_size=1, max_size=30)


@given(rows=ROWS, day=st.dates(date(1995, 1, 1), date(2031, 12, 31)))
def test_the_packed_form_answers_as_the_rows_do(
    rows: list[tuple[str, str, int, date | None, date | None]], day: date
) -> None:
    pairs = parse_pairs(render_pairs(rows), SOURCE)
    assert pairs.codes() == {code for row in rows for code in row[:2]}
    assert len(pairs) == len(set(rows))
    for column_1, column_2 in {row[:2] for row in rows}:
        applying = [
            indicator
            for one, two, indicator, effective, deletion in rows
            if (one, two) == (column_1, column_2)
            and indicator != 9
            and (effective is None or effective <= day)
            and (deletion is None or day <= deletion)
        ]
        assert pairs.indicator(column_1, column_2, day) == min(applying, default=None)


def test_rows_that_share_dates_and_indicator_share_one_edit() -> None:
    pairs = parse_pairs("17311 1 2020-01-01 - 11102 88305\n17312 1 2020-01-01 - 88305\n", SOURCE)
    edit = pairs.edits("17311", "88305")
    assert edit == (Edit(FIRST, date.max, 1),)
    assert edit is pairs.edits("17311", "11102")
    assert edit[0] is pairs.edits("17312", "88305")[0]
