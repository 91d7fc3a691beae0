"""The programs that these tests run, from Debian's packages: the very ones that ops people have."""

from __future__ import annotations

import shutil

import pytest

from tests.conftest import IN_CI, NO_PROMETHEUS

PACKAGES = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-pushgateway": "prometheus-pushgateway",
}


def program(name: str) -> str:
    """The path of a program; without it the test fails in CI, and is skipped elsewhere."""
    path = shutil.which(name)
    if path is None:
        missing = f"there is no {name}; install Debian's package {PACKAGES[name]}"
        if IN_CI:
            pytest.fail(f"CI must test with a real Prometheus: {missing}", pytrace=False)
        pytest.skip(f"{NO_PROMETHEUS}{missing}")
    return path
