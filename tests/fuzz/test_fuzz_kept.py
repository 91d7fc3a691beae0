"""Every input that is kept, of the corpora and of what once broke something, is taken by its target."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.table import ALL, TARGETS
from tests.fuzz.target import CORPUS, REGRESSIONS, Target, kept

BY_NAME = pytest.mark.parametrize("target", ALL, ids=lambda target: target.name)
MOST_KEPT_BYTES = 800_000


@BY_NAME
def test_each_kept_input_and_each_seed_keeps_what_is_promised(target: Target) -> None:
    inputs = [path.read_bytes() for path in kept(target)]
    assert inputs
    for data in [*inputs, *target.seeds()]:
        target.check(data)


@pytest.mark.parametrize("folder", [CORPUS, REGRESSIONS], ids=lambda folder: folder.name)
def test_what_is_kept_is_of_a_target(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} <= TARGETS.keys()


def test_the_kept_corpus_stays_small() -> None:
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < MOST_KEPT_BYTES
