"""Write the rules of ``grafana/rules`` into the object that the Prometheus Operator reads: ``make rules``.

A kustomization can put files into ConfigMaps only, and a PrometheusRule holds its groups itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parents[2]
RULES = PROJECT / "grafana" / "rules"
WRITTEN = PROJECT / "deploy" / "kustomize" / "components" / "monitoring" / "prometheus-rule.yaml"
HEAD = """\
# Written by `make rules` from grafana/rules, where the rules are changed and tested.
"""


class _Dumper(yaml.SafeDumper):
    """Blocks for texts of several lines, so that expressions read as they were written."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text.strip() else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def rule_files() -> list[Path]:
    """The files that Prometheus reads too, not those of the rules' tests."""
    return sorted(path for path in RULES.glob("*.y*ml") if "groups" in yaml.safe_load(path.read_text()))


def prometheus_rule() -> dict[str, Any]:
    """The object, with the groups of all files in the order of their names."""
    groups = [group for path in rule_files() for group in yaml.safe_load(path.read_text())["groups"]]
    labels = {"app.kubernetes.io/name": "mms-worker", "app.kubernetes.io/part-of": "mms"}
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "mms-worker", "labels": labels},
        "spec": {"groups": groups},
    }


def written() -> str:
    """The file's text."""
    return HEAD + yaml.dump(prometheus_rule(), Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)


if __name__ == "__main__":
    WRITTEN.write_text(written())
