"""The kustomizations: they build, every object is valid, and names, labels, ports and settings agree."""

from __future__ import annotations

import json
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.deploy.building import IMAGE_USER
from tests.deploy.cluster import (
    CUSTOM,
    Object,
    built,
    environment,
    is_met,
    mount,
    mounted_files,
    named,
    of_kind,
    pods,
    the,
    validate,
    worker,
)
from tests.deploy.commands import parsed, settings_of
from tests.deploy.dockerfile import PROJECT
from tests.deploy.write_prometheus_rule import WRITTEN, rule_files, written
from worker import __version__
from worker.commands.run import run
from worker.settings import PREFIX, Settings

TRACED = "../../tests/deploy/traced"
"""A kustomization of the tests': the base with the component that no overlay has."""
OUTSIDE = "../../tests/deploy/outside"
"""Another: production with brokers outside the cluster."""
SEALED = "../../tests/deploy/sealed"
"""Production with sealed histories and signed results."""
SEALED_DEV = "../../tests/deploy/sealed-dev"
"""The overlay that has a Job, with sealed histories."""
CERTIFIED = "../../tests/deploy/certified"
"""The base and the toolbox, known to the brokers by a certificate."""
TOKENS = "../../tests/deploy/tokens"
"""The same by the cluster's tokens."""
PRODUCTION = "overlays/production"
OVERLAYS = ("overlays/dev", PRODUCTION)
SECURED = (SEALED, SEALED_DEV, CERTIFIED, TOKENS)
ALL = ("base", *OVERLAYS, TRACED, OUTSIDE, *SECURED)
PLANNED_BYTES = 3e9
"""Histories of all workers together for a nation's Mohs claims: the first row of the capacity plan."""
MIB = 1024**2
APPLIED_BYTES = 256 * 1024
"""Above this `kubectl apply` without --server-side cannot keep what it has applied."""


def containers(objects: list[Object]) -> list[Object]:
    return [container for pod in pods(objects) for container in pod["spec"]["containers"]]


@pytest.mark.parametrize("name", ALL)
def test_every_object_is_valid_and_its_name_is_taken_once(name: str) -> None:
    objects = built(name)
    for one in objects:
        validate(one)
    names = [(one["kind"], one["metadata"]["name"]) for one in objects]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("kind", sorted(CUSTOM))
def test_a_field_that_a_custom_kind_does_not_have_is_a_fault(kind: str) -> None:
    one = json.loads(json.dumps(the(built(PRODUCTION), kind)))
    one["spec"]["misspelt"] = True
    with pytest.raises(jsonschema.ValidationError):
        validate(one)


@pytest.mark.parametrize("name", OVERLAYS)
def test_all_is_in_one_namespace_that_holds_pods_to_the_restricted_standard(name: str) -> None:
    objects = built(name)
    namespace = the(objects, "Namespace")["metadata"]
    assert namespace["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    whole_cluster = {"Namespace", "PriorityClass"}
    inside = [one for one in objects if one["kind"] not in whole_cluster]
    assert {one["metadata"]["namespace"] for one in inside} == {namespace["name"]}


@pytest.mark.parametrize("name", ALL)
def test_pods_are_within_the_restricted_standard_and_may_write_nothing(name: str) -> None:
    objects = built(name)
    for pod in pods(objects):
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] == IMAGE_USER
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        volumes = {kind for volume in spec.get("volumes", []) for kind in volume.keys() - {"name"}}
        assert volumes <= {"secret", "projected", "emptyDir"}
    for container in containers(objects):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


@pytest.mark.parametrize("name", ALL)
def test_pods_have_no_token_and_know_nothing_of_other_services(name: str) -> None:
    objects = built(name)
    accounts = of_kind(objects, "ServiceAccount")
    assert all(account["automountServiceAccountToken"] is False for account in accounts)
    for pod in pods(objects):
        named(objects, "ServiceAccount", pod["spec"]["serviceAccountName"])
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert pod["spec"]["enableServiceLinks"] is False


@pytest.mark.parametrize("name", ALL)
def test_containers_run_commands_that_there_are(name: str) -> None:
    objects = built(name)
    for container in containers(objects):
        if container["name"] != "toolbox":
            parsed(container["args"])
            assert "command" not in container  # the image's entry point
    assert parsed(worker(objects)["spec"]["containers"][0]["args"])[0] is run


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_images_are_of_this_version(name: str) -> None:
    image = f"mms-adjudication-worker:{__version__}"
    for container in containers(built(name)):
        assert container["image"] == (f"{image}-replay" if container["name"] == "toolbox" else image)


@pytest.mark.parametrize("name", [*OVERLAYS, *SECURED])
def test_every_pod_would_start_with_its_settings_and_mounts(name: str, tmp_path: Path) -> None:
    objects = built(name)
    for number, pod in enumerate(pods(objects)):
        told = environment(objects, pod)
        assert all(variable.startswith(PREFIX) for variable in told)
        root = tmp_path / str(number)
        mount(pod, root)
        for variable, value in told.items():
            if variable.endswith(("_FILE", "_DIR")) and value:
                told[variable] = f"{root}{value}"
        settings = settings_of(told)
        assert ip_address(settings.web_host).is_unspecified  # the pod's network, not its loopback


def test_in_production_the_brokers_are_reached_by_tls_with_a_password_from_a_file() -> None:
    objects = built(PRODUCTION)
    told = environment(objects, worker(objects))
    assert told["MMS_SECURITY_PROTOCOL"] == "SASL_SSL"
    assert told["MMS_REPLICATION"] == "3"
    files = mounted_files(worker(objects))
    assert files[told["MMS_SASL_PASSWORD_FILE"]] == "password"
    assert files[told["MMS_TLS_CA_FILE"]] == "ca.crt"
    assert not of_kind(objects, "Secret")


@pytest.mark.parametrize("name", ALL)
def test_every_selector_of_the_worker_meets_its_pods_and_no_others(name: str) -> None:
    objects = built(name)
    spread = worker(objects)["spec"]["topologySpreadConstraints"]
    selectors = [one["labelSelector"] for one in spread]
    selectors += [named(objects, "Deployment", "mms-worker")["spec"]["selector"]]
    selectors += [the(objects, "PodDisruptionBudget")["spec"]["selector"]]
    selectors += [named(objects, "NetworkPolicy", "mms-worker")["spec"]["podSelector"]]
    selectors += [one["spec"]["selector"] for one in of_kind(objects, "PodMonitor")]
    for pod in pods(objects):
        met = {is_met(selector, pod["metadata"]["labels"]) for selector in selectors}
        assert met == {pod is worker(objects)}


@pytest.mark.parametrize("name", ALL)
def test_probes_monitor_and_policy_mean_the_port_that_the_worker_serves(name: str) -> None:
    objects = built(name)
    (container,) = worker(objects)["spec"]["containers"]
    told = environment(objects, worker(objects))
    assert container["ports"] == [{"name": "metrics", "containerPort": int(told["MMS_WEB_PORT"])}]
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {probe["port"] for probe in probes.values()} == {"metrics"}
    assert [probe["path"] for probe in probes.values()] == ["/livez", "/livez", "/readyz"]
    (allowed,) = named(objects, "NetworkPolicy", "mms-worker")["spec"]["ingress"]
    assert [port["port"] for port in allowed["ports"]] == ["metrics"]
    for monitor in of_kind(objects, "PodMonitor"):
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        assert (endpoint["port"], endpoint["path"]) == ("metrics", "/metrics")


@pytest.mark.parametrize("name", ALL)
def test_workers_are_replaced_one_at_a_time_and_have_the_time_to_stop(name: str) -> None:
    objects = built(name)
    strategy = named(objects, "Deployment", "mms-worker")["spec"]["strategy"]["rollingUpdate"]
    assert strategy == {"maxSurge": 1, "maxUnavailable": 0}
    assert the(objects, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert worker(objects)["spec"]["terminationGracePeriodSeconds"] > 10


def test_autoscaling_is_bounded_by_the_partitions_and_asks_for_the_workers_own_lag() -> None:
    objects = built(PRODUCTION)
    told = environment(objects, worker(objects))
    scaled = the(objects, "ScaledObject")["spec"]
    deployment = named(objects, "Deployment", "mms-worker")
    assert scaled["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert "replicas" not in deployment["spec"]
    assert scaled["maxReplicaCount"] * 3 == int(told["MMS_PARTITIONS"])  # as the capacity plan has it
    assert scaled["minReplicaCount"] == scaled["fallback"]["replicas"] == 3
    kafka, cpu = scaled["triggers"]
    defaults = Settings.model_fields
    assert kafka["metadata"]["consumerGroup"] == defaults["app_id"].default
    assert kafka["metadata"]["topic"] == defaults["input_topic"].default
    assert kafka["metadata"]["bootstrapServers"] == told["MMS_BOOTSTRAP_SERVERS"]
    assert cpu["type"] == "cpu"
    assert all(isinstance(value, str) for one in scaled["triggers"] for value in one["metadata"].values())


def test_the_memory_of_production_holds_the_planned_histories_when_a_worker_is_missing() -> None:
    objects = built(PRODUCTION)
    left = the(objects, "ScaledObject")["spec"]["minReplicaCount"] - 1
    partitions = -(-int(environment(objects, worker(objects))["MMS_PARTITIONS"]) // left)
    needed = PLANNED_BYTES * 1.3 / left + 100 * MIB + Settings().buffer_high_bytes * partitions
    (container,) = worker(objects)["spec"]["containers"]
    memory = container["resources"]["limits"]["memory"]
    assert memory == container["resources"]["requests"]["memory"] == "3Gi"
    assert needed < 3 * 1024 * MIB
    assert container["resources"]["requests"]["cpu"] == "1"


def test_a_prometheus_that_selects_by_its_release_finds_the_monitor_and_the_rules() -> None:
    for kind in ("PodMonitor", "PrometheusRule"):
        assert the(built(PRODUCTION), kind)["metadata"]["labels"]["release"] == "kube-prometheus-stack"
    for pod in pods(built(PRODUCTION)):
        assert "release" not in pod["metadata"]["labels"]


def test_keda_asks_with_the_secret_that_the_worker_has() -> None:
    objects = built(PRODUCTION)
    authentication = the(objects, "TriggerAuthentication")
    kafka, _ = the(objects, "ScaledObject")["spec"]["triggers"]
    assert kafka["authenticationRef"]["name"] == authentication["metadata"]["name"]
    (volume,) = worker(objects)["spec"]["volumes"]
    asked = {(one["parameter"], one["name"], one["key"]) for one in authentication["spec"]["secretTargetRef"]}
    secret = volume["secret"]["secretName"]
    assert asked == {
        ("username", secret, "username"),
        ("password", secret, "password"),
        ("ca", secret, "ca.crt"),
    }
    assert kafka["metadata"] | {"sasl": "scram_sha512", "tls": "enable"} == kafka["metadata"]


def test_prometheus_knows_the_workers_by_the_name_that_rules_and_dashboards_use() -> None:
    objects = built(PRODUCTION)
    monitor = the(objects, "PodMonitor")["spec"]
    job = worker(objects)["metadata"]["labels"][monitor["jobLabel"]]
    scraped: dict[str, Any] = yaml.safe_load(
        (PROJECT / "deploy" / "prometheus" / "prometheus.yml").read_text()
    )
    assert job in {one["job_name"] for one in scraped["scrape_configs"]}
    (endpoint,) = monitor["podMetricsEndpoints"]
    # A worker that its breaker has stopped is scraped before it is gone.
    assert float(endpoint["interval"].removesuffix("s")) < Settings().breaker_hold_s


def test_the_rules_object_holds_the_rules_that_are_tested() -> None:
    assert rule_files()
    assert WRITTEN.read_text() == written(), "run: make rules"
    groups = [group for path in rule_files() for group in yaml.safe_load(path.read_text())["groups"]]
    assert the(built(PRODUCTION), "PrometheusRule")["spec"]["groups"] == groups


def test_every_dashboard_is_in_a_config_map_for_grafanas_sidecar() -> None:
    dashboards = {path.name: path.read_text() for path in (PROJECT / "grafana" / "dashboards").glob("*.json")}
    assert dashboards
    maps = [
        one
        for one in of_kind(built(PRODUCTION), "ConfigMap")
        if one["metadata"]["labels"].get("grafana_dashboard") == "1"
    ]
    held = {file: text for one in maps for file, text in one["data"].items()}
    assert held == dashboards
    assert all(len(json.dumps(one)) < APPLIED_BYTES for one in maps)
