"""NetworkPolicies: together they let each pod to what it needs, and nobody else to it."""

from __future__ import annotations

import re
from textwrap import dedent
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from tests.deploy.cluster import KUSTOMIZE, Object, built, environment, is_met, named, of_kind, pods, worker
from tests.deploy.commands import settings_of
from tests.deploy.dockerfile import PROJECT
from tests.deploy.test_deploy_kustomize import ALL, OUTSIDE, OVERLAYS, PRODUCTION, TRACED

NAMESPACE = "kubernetes.io/metadata.name"
NAMES = {53, 5353}
PUSHGATEWAY = 9091


def policies_of(objects: list[Object], pod: Object) -> list[Object]:
    """The policies that select a pod."""
    labels = pod["metadata"]["labels"]
    specs = [one["spec"] for one in of_kind(objects, "NetworkPolicy")]
    return [spec for spec in specs if is_met(spec["podSelector"], labels)]


def ports_out(objects: list[Object], pod: Object) -> set[int]:
    """All ports that a pod may speak to."""
    rules = [rule for policy in policies_of(objects, pod) for rule in policy.get("egress", [])]
    assert all(rule["to"] for rule in rules)  # to nobody in particular is to everybody
    return {port["port"] for rule in rules for port in rule["ports"]}


def broker_port(objects: list[Object]) -> int:
    _, _, port = environment(objects, worker(objects))["MMS_BOOTSTRAP_SERVERS"].rpartition(":")
    return int(port)


@pytest.mark.parametrize("name", ALL)
def test_all_pods_are_shut_both_ways_but_for_what_is_named(name: str) -> None:
    objects = built(name)
    for pod in pods(objects):
        shut = {way for policy in policies_of(objects, pod) for way in policy["policyTypes"]}
        assert shut == {"Ingress", "Egress"}
        open_to = [rule for policy in policies_of(objects, pod) for rule in policy.get("ingress", [])]
        assert bool(open_to) is (pod is worker(objects))  # Prometheus


@pytest.mark.parametrize("name", OVERLAYS)
def test_all_pods_reach_names_and_brokers_and_the_toolbox_a_pushgateway_too(name: str) -> None:
    objects = built(name)
    toolbox = named(objects, "Deployment", "mms-toolbox")["spec"]["template"]
    for pod in pods(objects):
        further = {PUSHGATEWAY} if pod is toolbox else set()
        assert ports_out(objects, pod) == NAMES | {broker_port(objects)} | further


def test_names_are_told_by_cluster_dns_by_the_nodes_cache_and_by_openshift() -> None:
    rules = named(built("base"), "NetworkPolicy", "mms-names")["spec"]["egress"]
    told = {
        (to.get("ipBlock", {}).get("cidr") or to["namespaceSelector"]["matchLabels"][NAMESPACE], port["port"])
        for rule in rules
        for to in rule["to"]
        for port in rule["ports"]
    }
    assert told == {("kube-system", 53), ("169.254.20.10/32", 53), ("openshift-dns", 5353)}
    for rule in rules:
        assert [port["protocol"] for port in rule["ports"]] == ["UDP", "TCP"]


def test_brokers_outside_the_cluster_are_named_as_the_comment_in_production_says() -> None:
    text = (KUSTOMIZE / PRODUCTION / "kustomization.yaml").read_text()
    (comment,) = re.findall(r"(?:^  # .*\n)+\Z", text, re.MULTILINE)
    _, *lines = [line.removeprefix("  # ") for line in comment.splitlines()]
    tested: dict[str, Any] = yaml.safe_load(
        (PROJECT / "tests" / "deploy" / "outside" / "kustomization.yaml").read_text()
    )
    assert yaml.safe_load(dedent("\n".join(lines))) == tested["patches"]
    (rule,) = named(built(OUTSIDE), "NetworkPolicy", "mms-kafka")["spec"]["egress"]
    assert rule == {
        "to": [{"ipBlock": {"cidr": "192.0.2.0/28"}}],
        "ports": [{"port": 9094, "protocol": "TCP"}],
    }


def test_a_worker_that_traces_may_reach_the_collector() -> None:
    objects = built(TRACED)
    told = environment(objects, worker(objects))
    endpoint = urlsplit(told.pop("OTEL_EXPORTER_OTLP_ENDPOINT"))
    del told["OTEL_SERVICE_NAME"]
    assert settings_of(told).traces == "otlp"
    policy = named(objects, "NetworkPolicy", "mms-traces")["spec"]
    assert policy in policies_of(objects, worker(objects))
    (collector,) = policy["egress"]
    assert [port["port"] for port in collector["ports"]] == [endpoint.port]
    namespace = collector["to"][0]["namespaceSelector"]["matchLabels"][NAMESPACE]
    assert str(endpoint.hostname).split(".")[1] == namespace
