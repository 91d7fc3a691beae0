"""Two sequences laid beside each other: every place of either is accounted for, in one way only."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.matching import match

LETTERS = st.lists(st.sampled_from("abcdef"), max_size=9)

SAME: dict[str, list[int]] = {"again": [], "missing": [], "foreign": [], "different": [], "moved": []}


@pytest.mark.parametrize(
    ("expected", "found", "told"),
    [
        ("", "", {}),
        ("abc", "abc", {}),
        ("aab", "aab", {}),
        ("abc", "abbc", {"again": [2]}),
        ("abc", "abca", {"again": [3]}),
        ("aab", "aaab", {"again": [2]}),
        ("abc", "ac", {"missing": [1]}),
        ("aab", "ab", {"missing": [1]}),
        ("abc", "", {"missing": [0, 1, 2]}),
        ("", "ab", {"foreign": [0, 1]}),
        ("abc", "abXc", {"foreign": [2]}),
        ("abc", "aXc", {"different": [(1, 1)]}),
        ("abc", "Xbc", {"different": [(0, 0)]}),
        ("abc", "abX", {"different": [(2, 2)]}),
        ("abcd", "aXYd", {"different": [(1, 1), (2, 2)]}),
        ("abcd", "aXd", {"different": [(1, 1)], "missing": [2]}),
        ("abcd", "bcX", {"missing": [0], "different": [(3, 2)]}),
        ("abc", "bac", {"moved": [0]}),
        ("abcd", "bcda", {"moved": [3]}),
        ("abcd", "dabc", {"moved": [0]}),
        ("abcd", "badc", {"moved": [0, 2]}),
    ],
)
def test_each_difference_has_its_name_and_its_place(
    expected: str, found: str, told: dict[str, list[int]]
) -> None:
    laid = match(expected, found)
    assert {name: getattr(laid, name) for name in SAME} == SAME | told


@given(LETTERS, LETTERS)
def test_every_place_is_accounted_for_once(expected: list[str], found: list[str]) -> None:
    laid = match(expected, found)
    pairs = laid.matched + laid.different
    assert sorted([one for one, _ in pairs] + laid.missing) == list(range(len(expected)))
    assert sorted([one for _, one in pairs] + laid.again + laid.foreign) == list(range(len(found)))
    assert all(expected[one] == found[other] for one, other in laid.matched)


@given(st.permutations("abcdef"))
def test_what_is_moved_is_the_fewest_that_need_to_be(found: list[str]) -> None:
    moved = match("abcdef", found).moved
    stay = [letter for place, letter in enumerate(found) if place not in moved]
    assert stay == sorted(stay)
    more = [kept for kept in combinations(found, len(stay) + 1) if list(kept) == sorted(kept)]
    assert not more
