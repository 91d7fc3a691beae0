"""The image without a container engine: the Dockerfile is clean, and what its commands build works."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from base64 import b64encode
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import hook
from tests.conftest import IN_CI
from tests.contract.corpus import EXAMPLES, history_files
from tests.deploy.building import IMAGE_USER, Image, build, entry_point, give_write_permission
from tests.deploy.dockerfile import DOCKERFILE, PROJECT, context, is_ignored, stages
from tests.sealing.keys import secret
from tests.stream.signingkit import assert_signed, key_pair
from tests.stream.streamkit import until
from worker import __version__
from worker.settings import PREFIX, Settings, variable
from worker.stream.sealing.envelope import parts_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.stream.streamkit import Stream

CLAIMS = EXAMPLES / "claim-submitted"
EXAMPLE = CLAIMS / "add-on-without-parent.json"
FINAL = stages()[-1]
(BUILDER,) = [stage for stage in stages()[1:] if stage[0].rest.endswith(" AS builder")]
COMPILER = shutil.which("gcc")


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    pinned = PROJECT / "build" / "tools" / "bin" / "uv"  # where the Makefile gets one, if there is none
    uv = str(pinned) if pinned.is_file() else shutil.which("uv")
    if uv is None:
        if IN_CI:
            pytest.fail("CI must run the Dockerfile's commands: there is no uv", pytrace=False)
        pytest.skip("THE DOCKERFILE'S COMMANDS WERE NOT RUN: there is no uv on this machine")
    if COMPILER is None and IN_CI:
        pytest.fail("CI must build the image with its rules compiled: there is no gcc", pytrace=False)
    with tempfile.TemporaryDirectory(prefix="mms-image-") as folder:
        root = Path(folder)
        root.chmod(0o755)  # pytest's own folders are closed to other users
        try:
            yield build(root, uv, COMPILED="1" if COMPILER else "")
        finally:
            give_write_permission(root)


def test_hadolint_finds_nothing() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_build_sees_the_package_and_its_metadata_and_nothing_else() -> None:
    seen = {path.parts[0] for path in context()}
    assert seen == {"pyproject.toml", "uv.lock", "README.md", "LICENSE", "worker"}


@pytest.mark.parametrize(
    "path", [".git/config", ".venv/bin/python", "worker/__pycache__/cli.pyc", "deploy/compose.yaml", ".env"]
)
def test_what_is_not_for_the_image_is_kept_out(path: str) -> None:
    assert is_ignored(Path(path))


def test_images_are_pinned_and_can_be_pinned_by_digest() -> None:
    (head, *built) = stages()
    images = {name: value for one in head for name, value in one.variables.items()}
    assert all(re.search(r":\d+\.\d+\.\d+", value) for value in images.values()), images
    used = [stage[0].rest.split()[0] for stage in built]
    assert set(used) == {f"${{{name}}}" for name in images}
    minor = re.search(r"python:(\d+\.\d+)\.", images["PYTHON_IMAGE"])
    assert minor is not None
    assert minor[1] == f"{sys.version_info.major}.{sys.version_info.minor}", "not what the tests run on"


def test_the_final_stage_needs_no_shell_and_no_root() -> None:
    words = {one.word: one for one in FINAL}
    assert all(one.is_exec for one in FINAL if one.word in {"RUN", "ENTRYPOINT", "CMD"})
    assert words["USER"].rest == f"{IMAGE_USER}:{IMAGE_USER}"
    assert words["EXPOSE"].rest == str(Settings().web_port)
    assert words["STOPSIGNAL"].rest == "SIGTERM"
    assert "HEALTHCHECK" not in words
    assert entry_point() == ["mms-worker"]
    copied = [one for one in FINAL if one.word == "COPY"]
    assert [(one.flags, one.words) for one in copied] == [(["--from=builder"], ["/opt/mms", "/opt/mms"])]


def test_labels_and_version_are_the_projects() -> None:
    declared = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    arguments = {name: value for one in FINAL if one.word == "ARG" for name, value in one.variables.items()}
    labels = {name: value for one in FINAL if one.word == "LABEL" for name, value in one.variables.items()}
    assert arguments["VERSION"] == declared["version"] == __version__
    assert labels["org.opencontainers.image.title"] == declared["name"]
    assert labels["org.opencontainers.image.licenses"] == declared["license"]


@pytest.mark.parametrize(
    ("extras", "asked"), [("", []), ("replay tracing", ["--extra", "replay", "--extra", "tracing"])]
)
def test_extras_are_asked_for_by_a_build_argument(tmp_path: Path, extras: str, asked: list[str]) -> None:
    (sync,) = [line.split()[1:] for line in commands(tmp_path, EXTRAS=extras) if " uv sync " in line]
    assert sync[:4] == ["uv", "sync", "--frozen", "--no-dev"]
    assert sync[5:] == asked


def test_what_sealing_and_signing_need_is_in_the_image_unless_a_build_argument_says_otherwise() -> None:
    given = {name: value for one in BUILDER if one.word == "ARG" for name, value in one.variables.items()}
    extras = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert given["EXTRAS"] == "crypto"
    assert given["EXTRAS"] in extras


@pytest.mark.parametrize(
    ("compiled", "installed", "hook_is"), [("1", ["gcc", "libc6-dev"], "1"), ("", [], "")]
)
def test_rules_are_compiled_unless_a_build_argument_says_no(
    tmp_path: Path, compiled: str, installed: list[str], hook_is: str
) -> None:
    told = commands(tmp_path, COMPILED=compiled)
    packages = [line.split()[5:] for line in told if " apt-get install " in line]
    assert packages == ([installed] if installed else [])
    assert [line.split()[0] for line in told if " uv build " in line] == [f"hook={hook_is}"]


def test_the_wheel_is_built_by_what_the_lock_has_by_hash_and_by_nothing_else(tmp_path: Path) -> None:
    export, build, install = (line.split()[1:] for line in commands(tmp_path)[-3:])
    assert export[:3] == ["uv", "export", "--frozen"]
    assert export[export.index("--group") + 1] == "build"
    locked = export[export.index("--output-file") + 1]
    assert build[:2] == ["uv", "build"]
    assert build[build.index("--build-constraints") + 1] == locked
    assert "--require-hashes" in build
    assert install[:3] == ["uv", "pip", "install"]
    assert "--no-deps" in install


def commands(folder: Path, **arguments: str) -> list[str]:
    """What the builder stage's RUNs call with these build arguments, a line each, none of it done."""
    for name in ("uv", "apt-get"):
        stub = folder / name
        stub.write_text(f'#!/bin/sh\necho "hook=$HATCH_BUILD_HOOK_ENABLE_MYPYC" {name} "$@"\n')
        stub.chmod(0o755)
    environment = {"PATH": str(folder), **arguments}
    runs = [["/bin/sh", "-c", step.rest] for step in BUILDER if step.word == "RUN"]
    told = [
        subprocess.run(run, env=environment, capture_output=True, text=True, check=True).stdout
        for run in runs
    ]
    return "".join(told).splitlines()


def test_what_the_commands_build_says_its_version(image: Image) -> None:
    done = image.run("--version")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, __version__, "")


def test_it_is_no_editable_install_and_its_bytecode_is_compiled(image: Image) -> None:
    (package,) = image.root.glob("opt/mms/lib/python3*/site-packages/worker")
    assert list(package.glob("__pycache__/cli.*.pyc"))
    assert (package / "devkit" / "data" / "claim_mix.toml").is_file()
    assert not list(package.parent.glob("pytest*"))


def test_it_decides_a_claim_without_writing_anything(image: Image) -> None:
    claim = json.dumps(json.loads(EXAMPLE.read_text()))
    done = image.run("adjudicate", "-", told=claim + "\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == json.loads(EXAMPLE.with_suffix(".result.json").read_text())


@pytest.mark.skipif(COMPILER is None, reason="THE IMAGE'S RULES WERE NOT COMPILED: there is no gcc")
def test_its_rules_are_compiled_and_nothing_is_left_of_the_compiling(image: Image) -> None:
    (site,) = image.root.glob("opt/mms/lib/python3*/site-packages")
    package = site / "worker"
    assert {hook.module_of(path.relative_to(site)) for path in package.rglob("*.so")} == hook.compiled()
    assert not [path for path in package.rglob("*") if path.suffix in {".c", ".h", ".o"}]
    assert not [name for name in ("mypy", "mypyc", "setuptools", "hatchling") if (site / name).exists()]


def test_it_decides_the_examples_as_the_files_beside_them_say(image: Image) -> None:
    expected = sorted(CLAIMS.glob("*.result.json"))
    events = [path.with_name(path.name.replace(".result", "")) for path in expected]
    told = "".join(json.dumps(json.loads(path.read_text())) + "\n" for path in events)
    done = image.run("adjudicate", "-", "--stateless", told=told)
    assert (done.returncode, done.stderr) == (0, "")
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert results == [json.loads(path.read_text()) for path in expected]


def test_it_decides_the_histories_as_the_files_beside_them_say(image: Image) -> None:
    histories = history_files()
    done = image.run("adjudicate", "-", told="".join(path.read_text() for path in histories))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "".join(path.with_suffix(".results.jsonl").read_text() for path in histories)


def test_what_would_write_a_file_is_found_out(image: Image) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        done = image.run("devkit", "generate", "--count", "1", "--out", f"{folder}/claims.jsonl")
        assert done.returncode != 0
        assert "File too large" in done.stderr


async def test_it_runs_as_a_worker_on_real_kafka_without_writing_anything(
    image: Image, stream: Stream, mounted: Path
) -> None:
    settings = {
        variable(name): str(getattr(stream.settings, name)) for name in stream.settings.model_fields_set
    }
    assert all(name.startswith(PREFIX) for name in settings)
    pair = key_pair(mounted, "signing")
    as_mounted(mounted / "sealing", "2026-11", b64encode(secret("2026-11")))
    as_mounted(mounted / "secret", "signing.pem", pair.private.read_bytes())
    settings |= {
        "MMS_SEALING_KEYS_DIR": str(mounted / "sealing"),
        "MMS_SEALING_KEY": "2026-11",
        "MMS_SEALING_REQUIRED": "true",
        "MMS_SIGNING_KEY_FILE": str(mounted / "secret" / "signing.pem"),
    }
    with ExitStack() as ending:
        worker = ending.enter_context(image.start("run", **settings))
        ending.callback(worker.kill)
        load = image.run("devkit", "load", "--rate", "500", "--count", "200", **settings)
        assert (load.returncode, load.stderr) == (0, "")
        await until(lambda: worker.poll() is not None or _committed(stream, 200), "200 decisions")
        worker.send_signal(signal.SIGTERM)
        out, err = worker.communicate(timeout=60)
        assert worker.returncode == 0, out + err
    results, histories = [
        list(chain.from_iterable((await stream.read(topic)).values()))
        for topic in (stream.settings.results_topic, stream.settings.changelog_topic)
    ]
    assert results
    for record in results:
        assert_signed(record, pair)
    assert {parts_of(record.value).key_id for record in histories} == {"2026-11"}


@pytest.fixture
def mounted() -> Iterator[Path]:
    """A folder that the image's user may look into, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def as_mounted(folder: Path, name: str, content: bytes) -> None:
    """A file as the kubelet mounts it: links to a folder of its own, for the pod's group alone."""
    held = folder / "..2026_11_22_09_00_00.1"
    held.mkdir(parents=True)
    (held / name).write_bytes(content)
    (folder / "..data").symlink_to(held.name)
    (folder / name).symlink_to(f"..data/{name}")
    (held / name).chmod(0o440)
    if os.geteuid() == 0:
        os.chown(held / name, 0, IMAGE_USER)


async def _committed(stream: Stream, records: int) -> bool:
    return await stream.committed() >= records
