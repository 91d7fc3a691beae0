"""Keys, passwords and tokens in a cluster: who has which, who may read the files; the project has none."""

from __future__ import annotations

import pytest

from tests.deploy.building import IMAGE_USER
from tests.deploy.cluster import Object, built, environment, mounted_files, named, of_kind, pods, worker
from tests.deploy.test_deploy_kustomize import ALL, CERTIFIED, PRODUCTION, SEALED, SEALED_DEV, TOKENS

GROUP_READS = 0o440


def toolbox(objects: list[Object]) -> Object:
    """The template of the toolbox's pods."""
    return named(objects, "Deployment", "mms-toolbox")["spec"]["template"]


def volumes(pod: Object) -> dict[str, Object]:
    """What the container mounts of Secrets and tokens, by the path that it finds it at."""
    (container,) = pod["spec"]["containers"]
    held = {volume["name"]: volume for volume in pod["spec"].get("volumes", [])}
    mounts = {mount["mountPath"]: held[mount["name"]] for mount in container.get("volumeMounts", [])}
    return {path: volume for path, volume in mounts.items() if "emptyDir" not in volume}


def secrets(pod: Object) -> set[str]:
    """The names of the Secrets whose keys are mounted."""
    return {volume["secret"]["secretName"] for volume in volumes(pod).values() if "secret" in volume}


@pytest.mark.parametrize("name", ALL)
def test_no_secret_is_in_the_project_and_none_is_a_variable_but_a_users_name(name: str) -> None:
    objects = built(name)
    assert not of_kind(objects, "Secret")
    for pod in pods(objects):
        (container,) = pod["spec"]["containers"]
        told = {one["name"] for one in container.get("env", []) if "valueFrom" in one}
        assert told <= {"MMS_SASL_USERNAME"}


@pytest.mark.parametrize("name", [PRODUCTION, CERTIFIED, TOKENS])
def test_brokers_tell_the_toolbox_from_the_workers(name: str) -> None:
    objects = built(name)
    assert user(worker(objects)).isdisjoint(user(toolbox(objects)))


def user(pod: Object) -> set[str]:
    """What the brokers can know a pod by: whose password, certificate or token it has."""
    (container,) = pod["spec"]["containers"]
    names = {one["valueFrom"]["secretKeyRef"]["name"] for one in container.get("env", [])}
    names |= secrets(pod)
    tokens = [volume for volume in volumes(pod).values() if "projected" in volume]
    return names | {pod["spec"]["serviceAccountName"] for _ in tokens}


@pytest.mark.parametrize("name", [PRODUCTION, SEALED, CERTIFIED, TOKENS])
def test_files_are_read_only_and_for_the_images_group_alone(name: str) -> None:
    for pod in pods(built(name)):
        (container,) = pod["spec"]["containers"]
        assert volumes(pod)
        assert pod["spec"]["securityContext"]["fsGroup"] == IMAGE_USER
        for volume in volumes(pod).values():
            assert (volume.get("secret") or volume["projected"])["defaultMode"] == GROUP_READS
        for mount in container["volumeMounts"]:
            # With subPath a renewed Secret would never come.
            assert mount.keys() == {"name", "mountPath"} | ({"readOnly"} & mount.keys())
            assert mount.get("readOnly", False) is (mount["mountPath"] in volumes(pod))


def test_who_reads_histories_has_the_sealing_keys_all_of_them() -> None:
    objects = built(SEALED)
    for pod in (worker(objects), toolbox(objects)):
        told = environment(objects, pod)
        assert told["MMS_SEALING_KEY"] == "2026-11"
        assert volumes(pod)[told["MMS_SEALING_KEYS_DIR"]]["secret"] == {
            "secretName": "mms-sealing",
            "defaultMode": GROUP_READS,
        }


def test_who_makes_topics_has_no_keys() -> None:
    objects = built(SEALED_DEV)
    (job,) = of_kind(objects, "Job")
    told = environment(objects, job["spec"]["template"])
    assert not volumes(job["spec"]["template"])
    assert {value for name, value in told.items() if "SEALING" in name} == {""}
    assert environment(objects, worker(objects))["MMS_SEALING_REQUIRED"] == "true"


def test_the_signing_key_is_the_workers_alone() -> None:
    objects = built(SEALED)
    assert mounted_files(worker(objects))[environment(objects, worker(objects))["MMS_SIGNING_KEY_FILE"]]
    assert secrets(worker(objects)) == {"mms-kafka", "mms-sealing", "mms-signing"}
    assert secrets(toolbox(objects)) == {"mms-kafka-toolbox", "mms-sealing"}
    assert "MMS_SIGNING_KEY_FILE" not in environment(objects, toolbox(objects))


def test_sealing_and_signing_take_nothing_of_what_production_has() -> None:
    before, after = built(PRODUCTION), built(SEALED)
    for pod in (worker, toolbox):
        assert environment(before, pod(before)).items() <= environment(after, pod(after)).items()
        assert mounted_files(pod(before)).items() <= mounted_files(pod(after)).items()


def test_brokers_may_know_the_worker_by_its_certificate() -> None:
    objects = built(CERTIFIED)
    for pod in pods(objects):
        told, files = environment(objects, pod), mounted_files(pod)
        assert told["MMS_SECURITY_PROTOCOL"] == "SSL"
        parts = {part: files[told[f"MMS_TLS_{part}_FILE"]] for part in ("CA", "CERT", "KEY")}
        assert parts == {"CA": "ca.crt", "CERT": "tls.crt", "KEY": "tls.key"}


def test_brokers_may_know_the_worker_by_the_clusters_tokens_which_are_for_brokers_alone() -> None:
    objects = built(TOKENS)
    for pod in pods(objects):
        told, files = environment(objects, pod), mounted_files(pod)
        assert (told["MMS_SECURITY_PROTOCOL"], told["MMS_SASL_MECHANISM"]) == ("SASL_SSL", "OAUTHBEARER")
        assert files[told["MMS_OAUTH_TOKEN_FILE"]] == "kafka"
        assert files[told["MMS_TLS_CA_FILE"]] == "ca.crt"


@pytest.mark.parametrize("name", [PRODUCTION, SEALED, CERTIFIED, TOKENS])
def test_secured_brokers_are_let_through_by_their_port(name: str) -> None:
    (rule,) = named(built(name), "NetworkPolicy", "mms-kafka")["spec"]["egress"]
    assert [port["port"] for port in rule["ports"]] == [9093]
