"""The programs of Debian that these tests run: the very ones that ops people have."""

from __future__ import annotations

import shutil

import pytest

from tests.conftest import IN_CI

PACKAGES = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-pushgateway": "prometheus-pushgateway",
}


def program(name: str) -> str:
    """The path of a program; without it the test fails in CI, and is skipped elsewhere."""
    path = shutil.which(name)
    if path is None:
        missing = f"no {name} on this machine: apt-get install {PACKAGES[name]}"
        if IN_CI:
            pytest.fail(f"CI must test with the real one: {missing}", pytrace=False)
        pytest.skip(missing)
    return path
