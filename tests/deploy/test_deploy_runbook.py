"""What the runbook tells to do in a cluster can be done to what is deployed there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.deploy.cluster import built, the
from tests.deploy.test_deploy_kustomize import PRODUCTION

RUNBOOK = Path(__file__).parents[2] / "grafana" / "runbooks.md"
PATCH = re.compile(r"patch scaledobject mms-worker --type=merge -p '(.*)'")
PATCHES = sorted(set(PATCH.findall(RUNBOOK.read_text())))


@pytest.mark.parametrize("patch", PATCHES)
def test_a_patch_of_the_autoscaler_leaves_bounds_that_keda_takes(patch: str) -> None:
    spec = the(built(PRODUCTION), "ScaledObject")["spec"] | json.loads(patch)["spec"]
    assert 1 <= spec["minReplicaCount"] <= spec["maxReplicaCount"] <= 12


def test_the_runbook_raises_the_bounds_and_takes_that_back() -> None:
    spec = the(built(PRODUCTION), "ScaledObject")["spec"]
    shipped = {bound: spec[bound] for bound in ("minReplicaCount", "maxReplicaCount")}
    assert shipped in [json.loads(patch)["spec"] for patch in PATCHES]
    assert len(PATCHES) > 1
