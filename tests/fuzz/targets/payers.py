"""The file that says which payer uses which policy."""

from __future__ import annotations

from tests.fuzz.targets.policies import assert_told


def check(data: bytes) -> None:
    assert_told("payers", data)
