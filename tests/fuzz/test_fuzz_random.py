"""Inputs that Hypothesis makes: any bytes, damaged seeds, and seeds changed with their form kept."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.table import ALL
from tests.fuzz.target import Target

EXAMPLES = 60
BY_NAME = pytest.mark.parametrize("target", ALL, ids=lambda target: target.name)
thorough = settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


@BY_NAME
@thorough
@given(data=st.binary(max_size=200))
def test_any_bytes(target: Target, data: bytes) -> None:
    target.check(data)


@BY_NAME
@thorough
@given(draw=st.data())
def test_a_seed_with_pieces_cut_out_and_put_in(target: Target, draw: st.DataObject) -> None:
    value = bytearray(draw.draw(st.sampled_from(list(target.seeds()))))
    for _ in range(draw.draw(st.integers(1, 5))):
        place = draw.draw(st.integers(0, len(value)))
        cut = draw.draw(st.integers(0, 8))
        value[place : place + cut] = draw.draw(st.binary(max_size=8))
    target.check(bytes(value))


@pytest.mark.parametrize("target", [one for one in ALL if one.change], ids=lambda target: target.name)
@thorough
@given(draw=st.data())
def test_a_seed_changed_again_and_again_with_its_form_kept(target: Target, draw: st.DataObject) -> None:
    assert target.change is not None
    value = draw.draw(st.sampled_from(list(target.seeds())))
    random = Random(draw.draw(st.integers(0, 1 << 32)))  # noqa: S311  drawn, so that it shrinks and repeats
    for _ in range(draw.draw(st.integers(1, 8))):
        value = target.change(value, random)
    target.check(value)
