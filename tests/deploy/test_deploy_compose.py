"""compose.yaml: within the Compose Specification, hardened, and in agreement with the project."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml

from tests.deploy.commands import parsed, settings_of
from tests.deploy.dockerfile import PROJECT
from worker import __version__
from worker.commands.replay import replay
from worker.commands.run import run
from worker.devkit.kafka import _SETTINGS as BROKER_SETTINGS
from worker.settings import PREFIX

if TYPE_CHECKING:
    from tests.conftest import NewBroker

FILE = PROJECT / "deploy" / "compose.yaml"
SCHEMA = Path(__file__).parent / "schemas" / "compose-spec.json"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = sorted(name for name, service in SERVICES.items() if "mms-adjudication-worker" in service["image"])
ONE_SHOT = {"topics", "replay"}
PARTS = ("context", "dockerfile")
PROMETHEUS = yaml.safe_load((PROJECT / "deploy" / "prometheus" / "prometheus.yml").read_text())
PLACES = ("listeners", "advertised", "log.dirs", "quorum", "node.id", "roles", "listener")
"""Parts of the names of Kafka's settings that say where it is, not how it works."""


def defaulted(text: str) -> str:
    """With the default of each variable: ``${RATE:-50}`` is 50."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def mounts(service: str) -> dict[str, str]:
    """Sources of a service's mounts by their targets."""
    found = [volume.split(":") for volume in SERVICES[service].get("volumes", [])]
    return {target: source for source, target, *_ in found}


def kafka_settings() -> dict[str, str]:
    """Kafka's own names for the settings that its image takes from the environment."""
    given = SERVICES["kafka"]["environment"]
    return {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value
        for name, value in given.items()
        if name.startswith("KAFKA_") and name != "KAFKA_HEAP_OPTS"
    }


def test_it_is_within_the_compose_specification() -> None:
    faults = jsonschema.Draft7Validator(json.loads(SCHEMA.read_text())).iter_errors(COMPOSE)
    assert [f"{fault.json_path}: {fault.message}" for fault in faults] == []


@pytest.mark.parametrize("name", OURS)
def test_the_projects_services_run_commands_that_there_are(name: str) -> None:
    parsed([defaulted(str(word)) for word in SERVICES[name]["command"]])


def test_the_worker_works_and_the_replay_tells_the_pushgateway() -> None:
    assert parsed(SERVICES["worker"]["command"])[0] is run
    function, options = parsed(SERVICES["replay"]["command"])
    assert function is replay
    assert "http://pushgateway:9091" in str(options)


@pytest.mark.parametrize("name", OURS)
def test_what_they_are_told_are_settings(name: str) -> None:
    environment = SERVICES[name]["environment"]
    assert all(variable.startswith(PREFIX) for variable in environment)
    settings = settings_of(environment)
    assert settings.bootstrap_servers == "kafka:19092"
    assert settings.replication == 1


@pytest.mark.parametrize("name", SERVICES)
def test_every_mounted_file_and_volume_is_there(name: str) -> None:
    for source in mounts(name).values():
        if source.startswith("."):
            assert (FILE.parent / source).resolve().exists(), source
        else:
            assert source in COMPOSE["volumes"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_pinned_bounded_and_without_privileges(name: str) -> None:
    service = SERVICES[name]
    assert re.search(r":v?\d+\.\d+\.\d+(-[a-z]+)?$", service["image"])
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("read_only", False) is (name != "kafka")
    assert service["deploy"]["resources"]["limits"]["memory"]
    assert ("restart" in service) is (name != "replay")


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_is_open_to_other_machines(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_waits_for_can_come_about(name: str) -> None:
    for other, condition in SERVICES[name].get("depends_on", {}).items():
        if condition["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other]
        else:
            assert condition["condition"] == "service_completed_successfully"
            assert other in ONE_SHOT


def test_all_but_those_that_end_are_asked_for_their_health_without_a_shell() -> None:
    # The generator serves nothing; it ends when brokers take no records, and is started again.
    asked = {name for name, service in SERVICES.items() if "healthcheck" in service}
    assert asked == SERVICES.keys() - ONE_SHOT - {"generator"}
    assert all(SERVICES[name]["healthcheck"]["test"][0] == "CMD" for name in asked)


def test_two_workers_are_given_the_time_to_stop() -> None:
    worker = SERVICES["worker"]
    assert worker["deploy"]["replicas"] == 2
    assert int(worker["stop_grace_period"].removesuffix("s")) > 10
    port = str(settings_of(worker["environment"]).web_port)
    assert worker["expose"] == [port]
    assert f"http://127.0.0.1:{port}/readyz" in worker["healthcheck"]["test"][-1]


def test_the_images_are_of_this_version_and_the_extra_is_the_projects() -> None:
    images = {name: SERVICES[name]["image"] for name in OURS}
    plain = f"mms-adjudication-worker:{__version__}"
    assert images == dict.fromkeys(OURS, plain) | {"replay": f"{plain}-replay"}
    assert SERVICES["replay"]["build"]["args"] == {"EXTRAS": "crypto replay"}


def test_each_image_is_built_once_and_by_a_service_that_whoever_takes_it_waits_for() -> None:
    builders = {SERVICES[name]["image"]: name for name in OURS if "build" in SERVICES[name]}
    assert builders.keys() == {SERVICES[name]["image"] for name in OURS}
    assert sum("build" in SERVICES[name] for name in OURS) == len(builders)
    for name in OURS:
        context, file = (SERVICES[builders[SERVICES[name]["image"]]]["build"][key] for key in PARTS)
        assert (FILE.parent / context).resolve() == PROJECT
        assert (PROJECT / file).is_file()
        if "build" not in SERVICES[name]:
            assert SERVICES[name]["pull_policy"] == "never"
            assert builders[SERVICES[name]["image"]] in waited_for(name)


def waited_for(name: str) -> set[str]:
    """All services that come before one."""
    direct = set(SERVICES[name].get("depends_on", {}))
    return direct.union(*map(waited_for, direct))


def test_kafka_is_the_version_that_everything_is_tested_with() -> None:
    pom = (PROJECT / "deploy" / "kafka" / "pom.xml").read_text()
    version = re.search(r"<kafka\.version>(.+)</kafka\.version>", pom)
    assert version is not None
    assert SERVICES["kafka"]["image"].endswith(f"/kafka:{version[1]}")


def test_kafka_is_set_for_one_node_as_the_devkit_sets_it() -> None:
    needed = ("replication.factor", "min.isr", "auto.create", "initial.rebalance")
    shared = {name: str(value) for name, value in BROKER_SETTINGS.items() if any(map(name.count, needed))}
    assert len(shared) == 5
    assert shared.items() <= kafka_settings().items()


def test_a_real_broker_commits_transactions_with_these_settings(new_broker: NewBroker) -> None:
    settings = {name: value for name, value in kafka_settings().items() if not any(map(name.count, PLACES))}
    assert len(settings) >= 5
    new_broker(**settings).start()  # ready is when it has committed one


def test_each_listener_of_kafka_is_advertised_to_those_who_can_reach_it() -> None:
    settings = kafka_settings()
    listeners = dict(one.split("://") for one in settings["listeners"].split(","))
    advertised = dict(one.split("://") for one in settings["advertised.listeners"].split(","))
    assert listeners.keys() - advertised.keys() == {settings["controller.listener.names"]}
    assert all(address.endswith(listeners[name]) for name, address in advertised.items())
    hosts = {address.split(":")[0] for address in advertised.values()}
    assert hosts == {"kafka", "127.0.0.1"}
    published = [port for port in SERVICES["kafka"]["ports"] if port == advertised["MACHINE"] + ":9092"]
    assert published


def test_prometheus_scrapes_services_of_this_file_and_reads_the_rules() -> None:
    targets = []
    for job in PROMETHEUS["scrape_configs"]:
        for found in job.get("dns_sd_configs", []):
            targets += [f"{name}:{found['port']}" for name in found["names"]]
        for found in job.get("static_configs", []):
            targets += found["targets"]
    hosts = {target.split(":")[0] for target in targets}
    assert hosts - {"localhost"} == {"worker", "pushgateway"}
    assert f"worker:{SERVICES['worker']['expose'][0]}" in targets
    mounted = mounts("prometheus")
    assert mounted["/etc/prometheus/prometheus.yml"] == "./prometheus/prometheus.yml"
    for pattern in PROMETHEUS["rule_files"]:
        inside = Path("/etc/prometheus", pattern)
        assert list((FILE.parent / mounted[str(inside.parent)]).glob(inside.name))


def test_grafana_finds_its_dashboards_and_its_prometheus() -> None:
    mounted = mounts("grafana")
    provisioning = FILE.parent / mounted["/etc/grafana/provisioning"]
    sources = [
        source
        for path in provisioning.glob("datasources/*.y*ml")
        for source in yaml.safe_load(path.read_text())["datasources"]
    ]
    assert [source["url"] for source in sources] == ["http://prometheus:9090"]
    providers = [
        provider
        for path in provisioning.glob("dashboards/*.y*ml")
        for provider in yaml.safe_load(path.read_text())["providers"]
    ]
    assert providers
    for provider in providers:
        assert list((FILE.parent / mounted[provider["options"]["path"]]).glob("*.json"))
    home = Path(SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (FILE.parent / mounted[str(home.parent)] / home.name).is_file()
