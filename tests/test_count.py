"""The counts of ``make count`` against their baseline, without valgrind: what passes, fails and is said."""

from __future__ import annotations

import string
from pathlib import Path
from textwrap import dedent

import pytest

from tests.bench.count import baseline
from tests.bench.count.baseline import Baseline, Change, Verdict
from tests.bench.count.callgrind import CountError, Part, part_of

HERE = {"python": "3.11.7", "orjson": "3.13.0"}
KIND = "four-lines"


def counts(instructions: float, allocations: float = 100) -> baseline.Counts:
    return {"compiled": {KIND: {"instructions": instructions, "allocations": allocations}}}


def judged(now: baseline.Counts, before: baseline.Counts, *, in_ci: bool = True) -> Verdict:
    return baseline.judged(Baseline(HERE, before), Baseline(HERE, now), in_ci=in_ci)


@pytest.mark.parametrize(
    ("instructions", "allocations"), [(100_000, 100), (101_000, 100), (99_000, 100), (100_000, 101)]
)
def test_counts_within_the_tolerance_pass_in_silence(instructions: float, allocations: float) -> None:
    assert judged(counts(instructions, allocations), counts(100_000)) == Verdict((), passes=True)


def test_a_count_above_the_tolerance_fails_with_a_line_of_its_own_and_how_to_accept_it() -> None:
    assert judged(counts(101_001), counts(100_000)) == Verdict(
        (
            (
                "compiled four-lines: 101,001 instructions an event, 1.0% above the baseline's 100,000 "
                "(tolerance 1%)"
            ),
            "if it must be so, and the change says why: make count ARGS=--accept",
        ),
        passes=False,
    )


def test_allocations_fail_by_themselves() -> None:
    said = judged(counts(100_000, 101.1), counts(100_000))
    assert not said.passes
    assert said.lines[0].startswith("compiled four-lines: 101 allocations an event, 1.1% above")


def test_a_count_far_below_the_baseline_passes_and_asks_to_be_stored() -> None:
    assert judged(counts(98_999), counts(100_000)) == Verdict(
        (
            (
                "compiled four-lines: 98,999 instructions an event, 1.0% below the baseline's 100,000 "
                "(tolerance 1%)"
            ),
            "to hold what is gained: make count ARGS=--accept",
        ),
        passes=True,
    )


def test_a_gain_of_one_kind_does_not_pay_for_a_loss_of_another() -> None:
    before = {"compiled": {"decode": counts(50_000)["compiled"][KIND], **counts(100_000)["compiled"]}}
    now = {"compiled": {"decode": counts(10_000)["compiled"][KIND], **counts(110_000)["compiled"]}}
    said = judged(now, before)
    assert not said.passes
    assert ["four-lines" in said.lines[0], "decode" in said.lines[1]] == [True, True]


@pytest.mark.parametrize(("now", "before"), [(counts(1), {}), ({}, counts(1))])
def test_what_only_one_side_has_fails(now: baseline.Counts, before: baseline.Counts) -> None:
    assert not judged(now, before).passes


@pytest.mark.parametrize(
    ("before", "now", "share"),
    [(100, 103, 0.03), (100, 97, -0.03), (0, 0, 0.0), (0, 1, 1.0), (None, 1, None)],
)
def test_a_change_is_a_share_of_the_baseline(before: float | None, now: float, share: float | None) -> None:
    assert Change("compiled", KIND, "allocations", before, now).share == pytest.approx(share)


@pytest.mark.parametrize("in_ci", [False, True])
def test_counts_of_another_environment_are_a_notice_to_a_developer_and_fail_in_ci(in_ci: bool) -> None:
    said = baseline.judged(
        Baseline(HERE, counts(1)), Baseline({**HERE, "orjson": "3.14.0"}, counts(2)), in_ci=in_ci
    )
    assert said == Verdict(
        (
            "the baseline is of another environment, so nothing is compared",
            "orjson: 3.14.0, the baseline's 3.13.0",
        ),
        passes=not in_ci,
    )


@pytest.mark.parametrize("in_ci", [False, True])
def test_without_a_baseline_only_ci_fails(in_ci: bool) -> None:
    assert baseline.judged(None, Baseline(HERE, counts(1)), in_ci=in_ci).passes is not in_ci


def test_a_baseline_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "new" / "baseline.json"
    written = Baseline(HERE, counts(100_000, 12.5))
    assert baseline.read(file) is None
    baseline.write(file, written)
    assert baseline.read(file) == written
    assert file.read_bytes().endswith(b"}\n")


def test_the_stored_baseline_has_both_cores_and_every_kind() -> None:
    stored = baseline.read(baseline.FILE)
    assert stored is not None
    assert set(stored.counts) == {"interpreted", "compiled"}
    for kinds in stored.counts.values():
        assert list(kinds) == ["decode", "four-lines", "history", "out-of-scope"]
        assert all(set(units) == set(baseline.TOLERANCE) for units in kinds.values())


# Of a real profile: an allocator, what calls it, a function whose name only begins so, and one inlined.
PROFILE = dedent("""\
    # callgrind format
    positions: instr line
    events: Ir
    summary: 1000

    fl=Objects/obmalloc.c
    fn=PyObject_Malloc
    0x1af1e0 704 17
    0x1af1e3 706 17
    cfn=_PyObject_Malloc
    calls=2539 0x1af820 1962
    0x1af1ef 712 435

    fn=PyMem_Realloc
    0x1af0c0 641 7

    fn=PyObject_MallocStats
    0x1af0f0 650 100

    fn=list_resize
    0x1bf0c0 1100 40
    cfn=PyObject_Malloc
    calls=5609 0x1af1e0 704
    0x1bf0c7 1124 321

    totals: 1000
    """)


def test_a_profile_gives_its_total_and_the_times_that_memory_was_asked_for() -> None:
    assert part_of(PROFILE) == Part(instructions=1000, allocations=24)


@pytest.mark.parametrize("text", ["", PROFILE.replace("totals", "total"), string.printable])
def test_a_profile_without_a_total_is_an_error(text: str) -> None:
    with pytest.raises(CountError, match="no total"):
        part_of(text)
