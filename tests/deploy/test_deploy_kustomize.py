"""The kustomizations: they build, every object is valid, and names, labels, ports and settings agree."""

from __future__ import annotations

import json
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import jsonschema
import pytest
import yaml

from tests.deploy.building import IMAGE_USER
from tests.deploy.cluster import CUSTOM, Object, built, of_kind, the, validate
from tests.deploy.commands import parsed, settings_of
from tests.deploy.dockerfile import PROJECT
from tests.deploy.write_prometheus_rule import WRITTEN, rule_files, written
from worker import __version__
from worker.commands.run import run
from worker.settings import PREFIX, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

TRACED = "../../tests/deploy/traced"
"""A kustomization of the tests': the base with the component that no overlay has."""
ALL = ("base", "overlays/dev", "overlays/production", TRACED)
OVERLAYS = ALL[1:3]
PRODUCTION = "overlays/production"
WORKER = {"app.kubernetes.io/name": "mms-worker"}
APPLIED_BYTES = 256 * 1024
"""Above this `kubectl apply` without --server-side cannot keep what it has applied."""


def pods(objects: list[Object]) -> list[Object]:
    return [one["spec"]["template"] for one in objects if one["kind"] in {"Deployment", "Job"}]


def containers(objects: list[Object]) -> list[Object]:
    return [container for pod in pods(objects) for container in pod["spec"]["containers"]]


def environment(objects: list[Object], pod: Object) -> dict[str, str]:
    """What the pod's one container is told, a value from a Secret as such."""
    (container,) = pod["spec"]["containers"]
    maps = {one["metadata"]["name"]: one["data"] for one in of_kind(objects, "ConfigMap")}
    found: dict[str, str] = {}
    for source in container["envFrom"]:
        found |= maps[source["configMapRef"]["name"]]
    return found | {one["name"]: one.get("value", "from a Secret") for one in container.get("env", [])}


def worker(objects: list[Object]) -> Object:
    return the(objects, "Deployment")["spec"]["template"]


def is_met(selector: dict[str, str], labels: dict[str, str]) -> bool:
    return bool(selector) and selector.items() <= labels.items()


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
        assert all(volume.keys() <= {"name", "secret"} for volume in spec.get("volumes", []))
    for container in containers(objects):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


@pytest.mark.parametrize("name", ALL)
def test_pods_have_no_token_and_know_nothing_of_other_services(name: str) -> None:
    objects = built(name)
    account = the(objects, "ServiceAccount")
    assert account["automountServiceAccountToken"] is False
    for pod in pods(objects):
        assert pod["spec"]["serviceAccountName"] == account["metadata"]["name"]
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert pod["spec"]["enableServiceLinks"] is False


@pytest.mark.parametrize("name", ALL)
def test_containers_run_commands_that_there_are(name: str) -> None:
    objects = built(name)
    for container in containers(objects):
        parsed(container["args"])
        assert "command" not in container  # the image's entry point
    assert parsed(worker(objects)["spec"]["containers"][0]["args"])[0] is run


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_image_is_of_this_version(name: str) -> None:
    images = {container["image"] for container in containers(built(name))}
    assert images == {f"mms-adjudication-worker:{__version__}"}


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """Files as a Secret's volume would have them."""
    for name in ("password", "ca.crt"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_worker_would_start_with_these_settings(name: str, mounted: Path) -> None:
    objects = built(name)
    for pod in pods(objects):
        told = environment(objects, pod)
        assert all(variable.startswith(PREFIX) for variable in told)
        files = mounted_files(pod)
        for variable, value in told.items():
            if variable.endswith("_FILE"):
                told[variable] = str(mounted / files[value])
        settings = settings_of(told)
        assert ip_address(settings.web_host).is_unspecified  # the pod's network, not its loopback


def mounted_files(pod: Object) -> dict[str, str]:
    """The keys of Secrets by the paths at which the container finds them."""
    (container,) = pod["spec"]["containers"]
    volumes = {volume["name"]: volume["secret"]["items"] for volume in pod["spec"].get("volumes", [])}
    return {
        f"{mount['mountPath']}/{item['path']}": item["key"]
        for mount in container.get("volumeMounts", [])
        for item in volumes[mount["name"]]
    }


def test_in_production_the_brokers_are_reached_by_tls_with_a_password_from_a_file(mounted: Path) -> None:
    objects = built(PRODUCTION)
    told = environment(objects, worker(objects))
    assert told["MMS_SECURITY_PROTOCOL"] == "SASL_SSL"
    assert told["MMS_REPLICATION"] == "3"
    files = mounted_files(worker(objects))
    assert files[told["MMS_SASL_PASSWORD_FILE"]] == "password"
    assert files[told["MMS_TLS_CA_FILE"]] == "ca.crt"
    assert not of_kind(objects, "Secret")


@pytest.mark.parametrize("name", ALL)
def test_every_selector_meets_the_workers_pods(name: str) -> None:
    objects = built(name)
    labels = worker(objects)["metadata"]["labels"]
    spread = worker(objects)["spec"]["topologySpreadConstraints"]
    selectors = [one["labelSelector"] for one in spread]
    selectors += [the(objects, "Deployment")["spec"]["selector"]]
    selectors += [the(objects, "PodDisruptionBudget")["spec"]["selector"]]
    selectors += [the(objects, "NetworkPolicy")["spec"]["podSelector"]]
    selectors += [one["spec"]["selector"] for one in of_kind(objects, "PodMonitor")]
    assert all(is_met(selector["matchLabels"], labels) for selector in selectors)
    jobs = [pod["metadata"]["labels"] for pod in pods(objects) if pod is not worker(objects)]
    assert not any(is_met(WORKER, labels) for labels in jobs)


@pytest.mark.parametrize("name", ALL)
def test_probes_monitor_and_policy_mean_the_port_that_the_worker_serves(name: str) -> None:
    objects = built(name)
    (container,) = worker(objects)["spec"]["containers"]
    told = environment(objects, worker(objects))
    assert container["ports"] == [{"name": "metrics", "containerPort": int(told["MMS_WEB_PORT"])}]
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {probe["port"] for probe in probes.values()} == {"metrics"}
    assert [probe["path"] for probe in probes.values()] == ["/livez", "/livez", "/readyz"]
    (allowed,) = the(objects, "NetworkPolicy")["spec"]["ingress"]
    assert [port["port"] for port in allowed["ports"]] == ["metrics"]
    for monitor in of_kind(objects, "PodMonitor"):
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        assert (endpoint["port"], endpoint["path"]) == ("metrics", "/metrics")


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_policy_lets_the_worker_out_to_names_and_brokers_alone(name: str) -> None:
    objects = built(name)
    policy = the(objects, "NetworkPolicy")["spec"]
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    ports = {port["port"] for rule in policy["egress"] for port in rule["ports"]}
    _, _, broker = environment(objects, worker(objects))["MMS_BOOTSTRAP_SERVERS"].rpartition(":")
    assert ports == {53, int(broker)}


@pytest.mark.parametrize("name", ALL)
def test_workers_are_replaced_one_at_a_time_and_have_the_time_to_stop(name: str) -> None:
    objects = built(name)
    strategy = the(objects, "Deployment")["spec"]["strategy"]["rollingUpdate"]
    assert strategy == {"maxSurge": 1, "maxUnavailable": 0}
    assert the(objects, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert worker(objects)["spec"]["terminationGracePeriodSeconds"] > 10


def test_autoscaling_is_bounded_by_the_partitions_and_asks_for_the_workers_own_lag() -> None:
    objects = built(PRODUCTION)
    told = environment(objects, worker(objects))
    scaled = the(objects, "ScaledObject")["spec"]
    deployment = the(objects, "Deployment")
    assert scaled["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert "replicas" not in deployment["spec"]
    assert scaled["maxReplicaCount"] == int(told["MMS_PARTITIONS"])
    assert scaled["minReplicaCount"] == scaled["fallback"]["replicas"] == 3
    kafka, cpu = scaled["triggers"]
    defaults = Settings.model_fields
    assert kafka["metadata"]["consumerGroup"] == defaults["app_id"].default
    assert kafka["metadata"]["topic"] == defaults["input_topic"].default
    assert kafka["metadata"]["bootstrapServers"] == told["MMS_BOOTSTRAP_SERVERS"]
    assert cpu["type"] == "cpu"
    assert all(isinstance(value, str) for one in scaled["triggers"] for value in one["metadata"].values())


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


def test_a_worker_that_traces_may_reach_the_collector() -> None:
    objects = built(TRACED)
    told = environment(objects, worker(objects))
    endpoint = urlsplit(told.pop("OTEL_EXPORTER_OTLP_ENDPOINT"))
    del told["OTEL_SERVICE_NAME"]
    assert settings_of(told).traces == "otlp"
    collector = the(objects, "NetworkPolicy")["spec"]["egress"][-1]
    assert [port["port"] for port in collector["ports"]] == [endpoint.port]
    namespace = collector["to"][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
    assert str(endpoint.hostname).split(".")[1] == namespace


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
