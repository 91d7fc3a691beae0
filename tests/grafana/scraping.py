"""The configuration of Prometheus as the project ships it, pointed at what a test has started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.grafana.questions import rule_files

SHIPPED = Path(__file__).parents[2] / "deploy" / "prometheus" / "prometheus.yml"
EVERY = "1s"
"""How often a test scrapes and evaluates: it has seconds where a deployment has minutes."""
DISCOVERY = "_sd_configs"
PACE = {"scrape_interval", "scrape_timeout"}


def config(directory: Path, targets: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The shipped configuration with these targets by job, no other jobs, and everything every second."""
    shipped = yaml.safe_load(SHIPPED.read_text())
    jobs = {job["job_name"]: job for job in shipped["scrape_configs"]}
    return {
        **shipped,
        "global": {"scrape_interval": EVERY, "scrape_timeout": EVERY, "evaluation_interval": EVERY},
        "rule_files": [str(path) for path in hurried_rules(directory)],
        "scrape_configs": [_pointed(jobs[name], at) for name, at in targets.items()],
    }


def hurried_rules(directory: Path) -> list[Path]:
    """Copies of the project's rules without intervals of their own, and without patience before an alert."""
    copies = []
    for path in rule_files():
        rules = yaml.safe_load(path.read_text())
        for group in rules["groups"]:
            group.pop("interval", None)
            for rule in group["rules"]:
                rule.pop("for", None)
        copies.append(directory / path.name)
        copies[-1].write_text(yaml.safe_dump(rules))
    return copies


def _pointed(job: Mapping[str, Any], at: Sequence[str]) -> dict[str, Any]:
    kept = {
        name: value
        for name, value in job.items()
        if name != "static_configs" and not name.endswith(DISCOVERY) and name not in PACE
    }
    return {**kept, "static_configs": [{"targets": list(at)}]}
