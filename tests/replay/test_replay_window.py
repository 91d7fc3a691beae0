"""What --from and --to may say, and what they mean."""

from __future__ import annotations

import pickle

import msgspec
import pytest

from worker.replay.reading.evidence import EvidenceError
from worker.replay.reading.window import LARGEST, Bounds, Moment, Offset, Offsets, bounds, refuse_empty

MAY_4 = 1_777_852_800_000


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("2026-05-04", Moment(MAY_4)),
        (" 2026-05-04 ", Moment(MAY_4)),
        ("2026-05-04T00:00:01", Moment(MAY_4 + 1000)),
        ("2026-05-04 00:00", Moment(MAY_4)),
        ("2026-05-04T02:00:00+02:00", Moment(MAY_4)),
        ("2026-05-03t19:00:00.5-05:00", Moment(MAY_4 + 500)),
        ("2026-05-04T00:00:00.001z", Moment(MAY_4 + 1)),
        ("2026-05-04T00:00:00.001001Z", Moment(MAY_4 + 2)),
        ("2026-05-03T23:59:59.999999Z", Moment(MAY_4)),
        ("1970-01-01", Moment(0)),
        ("1969-12-31", Moment(0)),
        ("0001-01-01T00:00:00+02:00", Moment(0)),
        ("0", Offset(0)),
        ("1200", Offset(1200)),
        ("20260504", Offset(20_260_504)),
        (str(LARGEST), Offset(LARGEST)),
        ("3:800", Offsets(((3, 800),))),
        ("3:800,0:1200", Offsets(((0, 1200), (3, 800)))),
    ],
)
def test_a_bound_is_a_time_an_offset_or_offsets_by_partition(
    text: str, meaning: Moment | Offset | Offsets
) -> None:
    assert bounds(text, None) == Bounds(meaning, None)
    assert bounds(None, text) == Bounds(None, meaning)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "give a date"),
        ("yesterday", "give a date"),
        ("-1", "give a date"),
        ("1.5", "give a date"),
        ("١٢", "give a date"),
        ("2026-W19-1", "give a date"),
        ("2026-05", "give a date"),
        ("2026-05-04T12", "give a date"),
        ("2026-05-04T12:00:00 CEST", "give a date"),
        ("0:1,", "give a date"),
        ("0:1,2", "give a date"),
        ("2026-02-30", "no calendar has that time"),
        ("2026-05-04T24:30:00", "no calendar has that time"),
        (str(LARGEST + 1), "no offset is larger"),
        (f"0:{LARGEST + 1}", "no offset is larger"),
        ("1:5,1:6", "partition 1 is there twice"),
    ],
)
def test_anything_else_is_refused_in_one_line_that_names_the_option(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        bounds(None, text)
    assert str(refused.value).startswith(f"--to {text}")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("2026-05-05", "2026-05-04T23:59:59.999Z"),
        ("5", "4"),
        ("5", "0:9,1:4"),
        ("0:5,1:6", "5"),
        ("0:5,1:6", "0:5,1:5"),
    ],
)
def test_a_from_behind_to_is_refused(begin: str, end: str) -> None:
    with pytest.raises(ValueError, match="is behind --to"):
        bounds(begin, end)


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("2026-05-04", "2026-05-04"),
        ("5", "5"),
        ("0:5,1:6", "6"),
        ("0:5,1:6", "0:5,1:7"),
        ("1:6", "0:5"),
        ("2026-05-04", "5"),
    ],
)
def test_a_from_at_to_or_one_that_cannot_be_compared_is_not(begin: str, end: str) -> None:
    assert bounds(begin, end).begin is not None


@pytest.mark.parametrize("text", ["2026-05-04", "7", "0:1,2:3"])
def test_bounds_go_to_other_processes_and_into_json(text: str) -> None:
    asked = bounds(text, None)
    assert pickle.loads(pickle.dumps(asked)) == asked  # noqa: S301  our own bytes
    assert msgspec.json.decode(msgspec.json.encode(asked), type=Bounds) == asked


def test_a_window_in_which_nothing_lies_is_refused_if_it_was_asked_for() -> None:
    refuse_empty(Bounds(), has_events=False)
    refuse_empty(Bounds(Offset(4)), has_events=True)
    with pytest.raises(EvidenceError, match="no event lies between"):
        refuse_empty(Bounds(Offset(4)), has_events=False)
