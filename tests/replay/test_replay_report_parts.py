"""What the report is made of: periods, numbers, lines in a row, markup."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from worker.replay.output.report.calendar import periods
from worker.replay.output.report.lines import numbered
from worker.replay.output.report.markup import Markup, tag
from worker.replay.output.report.phrases import DASH, dollars, share

SPANS = {
    1: ("day", 1),
    40: ("day", 40),
    41: ("week", 6),
    280: ("week", 40),
    290: ("month", 10),
    1_200: ("month", 40),
    1_300: ("quarter", 15),
    3_600: ("quarter", 40),
    4_000: ("year", 11),
    40 * 366: ("2 years", 21),
}


@pytest.mark.parametrize("days", SPANS)
def test_days_are_put_together_so_that_at_most_forty_columns_are_left(days: int) -> None:
    first = date(2024, 1, 1)  # a Monday
    by_day = {(first + timedelta(days=one)).isoformat(): {"extra": 2} for one in (0, days - 1)}
    over = periods(by_day)
    assert (over.unit, len(over.periods)) == SPANS[days]
    assert sum(one.counts.get("extra", 0) for one in over.periods) == 2 * len(by_day)


def test_a_week_is_called_by_its_monday() -> None:
    over = periods({"2026-01-04": {"extra": 1}, "2026-03-01": {"extra": 1}})
    assert [one.label for one in over.periods][:2] == ["2025-12-29", "2026-01-05"]


NUMBERED = {(3,): "Line 3", (1, 2): f"Lines 1{DASH}2", (1, 4, 5, 6, 9): f"Lines 1, 4{DASH}6, 9"}


@pytest.mark.parametrize("lines", NUMBERED)
def test_lines_in_a_row_are_put_together(lines: tuple[int, ...]) -> None:
    assert numbered(lines) == NUMBERED[lines]


SHARES = {
    (0, 5): "0.0%",
    (5, 5): "100.0%",
    (1, 3): "33.3%",
    (1, 5_000): "< 0.1%",
    (4_999, 5_000): "> 99.9%",
    (0, 0): DASH,
}


@pytest.mark.parametrize("numbers", SHARES)
def test_a_share_is_neither_all_nor_nothing_unless_it_is(numbers: tuple[int, int]) -> None:
    assert share(*numbers) == SHARES[numbers]


def test_cents_are_exact() -> None:
    assert dollars(123_456_705) == "$1,234,567.05"


def test_markup_escapes_texts_and_attributes_but_not_markup() -> None:
    made = tag("p", "<b>", Markup("<b>"), aria_label='"x"', hidden=True, id=None)
    assert made == '<p aria-label="&quot;x&quot;" hidden>&lt;b&gt;<b></p>'
