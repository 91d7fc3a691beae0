"""What ``kubectl apply -k`` would send: kustomizations built by the real program, and each kind's schema."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from tests.conftest import IN_CI
from tests.deploy.dockerfile import PROJECT

KUSTOMIZE = PROJECT / "deploy" / "kustomize"
SCHEMAS = Path(__file__).parent / "schemas"
CUSTOM = {"PodMonitor", "PrometheusRule", "ScaledObject", "TriggerAuthentication"}
OLDEST = "1.31"
"""The oldest Kubernetes that the manifests are for; the newest is the newest whose schemas are known here."""

Object = dict[str, Any]


def built(name: str) -> list[Object]:
    """The objects of a kustomization, whose folder is named from ``deploy/kustomize``."""
    if kubectl := shutil.which("kubectl"):
        return _built((kubectl, "kustomize"), name)
    if kustomize := shutil.which("kustomize"):
        return _built((kustomize, "build"), name)
    if IN_CI:
        pytest.fail("CI must build deploy/kustomize: there is neither kubectl nor kustomize", pytrace=False)
    pytest.skip("NOTHING OF deploy/kustomize WAS BUILT: neither kubectl nor kustomize is on this machine")


@cache
def _built(program: tuple[str, ...], name: str) -> list[Object]:
    command = [*program, str(KUSTOMIZE / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return list(yaml.safe_load_all(done.stdout))


def of_kind(objects: list[Object], kind: str) -> list[Object]:
    return [one for one in objects if one["kind"] == kind]


def the(objects: list[Object], kind: str) -> Object:
    """The only object of a kind."""
    (found,) = of_kind(objects, kind)
    return found


def named(objects: list[Object], kind: str, name: str) -> Object:
    """The object of a kind and a name."""
    (found,) = [one for one in of_kind(objects, kind) if one["metadata"]["name"] == name]
    return found


def pods(objects: list[Object]) -> list[Object]:
    """The templates of all pods."""
    return [one["spec"]["template"] for one in objects if one["kind"] in {"Deployment", "Job"}]


def worker(objects: list[Object]) -> Object:
    """The template of the worker's pods."""
    return named(objects, "Deployment", "mms-worker")["spec"]["template"]


def is_met(selector: Object, labels: dict[str, str]) -> bool:
    """Whether a selector by labels alone, and not by none, meets them."""
    wanted = selector.get("matchLabels", {})
    return bool(wanted) and selector.keys() == {"matchLabels"} and wanted.items() <= labels.items()


def environment(objects: list[Object], pod: Object) -> dict[str, str]:
    """What the pod's one container is told, a value from a Secret as such."""
    (container,) = pod["spec"]["containers"]
    maps = {one["metadata"]["name"]: one["data"] for one in of_kind(objects, "ConfigMap")}
    found: dict[str, str] = {}
    for source in container["envFrom"]:
        found |= maps[source["configMapRef"]["name"]]
    return found | {one["name"]: one.get("value", "from a Secret") for one in container.get("env", [])}


def mounted_files(pod: Object) -> dict[str, str]:
    """The keys of Secrets by the paths at which the container finds them, as far as they are named.

    A token of the ServiceAccount is here too, under the audience that it is for.
    """
    return {
        f"{mounted['mountPath']}/{path}": key
        for mounted, volume in _mounts(pod)
        for path, key in _files(volume).items()
    }


def mount(pod: Object, root: Path) -> None:
    """Make what the container would find, below a folder."""
    for mounted, _ in _mounts(pod):
        Path(f"{root}{mounted['mountPath']}").mkdir(parents=True)
    for path in mounted_files(pod):
        Path(f"{root}{path}").touch()


def _mounts(pod: Object) -> list[tuple[Object, Object]]:
    """The container's mounts, each with its volume."""
    (container,) = pod["spec"]["containers"]
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes", [])}
    return [(mount, volumes[mount["name"]]) for mount in container.get("volumeMounts", [])]


def _files(volume: Object) -> dict[str, str]:
    sources = volume.get("projected", {}).get("sources", [volume])
    items = [item for source in sources for item in source.get("secret", {}).get("items", [])]
    tokens = [source["serviceAccountToken"] for source in sources if "serviceAccountToken" in source]
    return {item["path"]: item["key"] for item in items} | {one["path"]: one["audience"] for one in tokens}


def validate(one: Object) -> None:
    """Raise what is wrong with an object, a field that its kind does not have among it."""
    if one["kind"] in CUSTOM:
        jsonschema.validate(one, _custom(one["kind"]), jsonschema.Draft202012Validator)
        return
    for version in (OLDEST, kubernetes_validate.latest_version()):
        kubernetes_validate.validate(one, version, strict=True)


@cache
def _custom(kind: str) -> Object:
    schema = json.loads((SCHEMAS / f"{kind.lower()}.json").read_text())
    group, _, _ = schema["title"].partition(" ")
    schema["properties"]["apiVersion"] = {"const": group}
    return _strict(schema)


def _strict(schema: Any) -> Any:
    """The same, but unknown fields are faults: an API server would drop them in silence."""
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    tight = {name: _strict(part) for name, part in schema.items()}
    if isinstance(pattern := schema.get("pattern"), str):
        tight["pattern"] = re.sub(r"^\^\(\?i\)", "(?i)^", pattern)  # Go's way to write it
    is_open = "additionalProperties" in schema or "x-kubernetes-preserve-unknown-fields" in schema
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object" and not is_open:
        tight["additionalProperties"] = False
    return tight
