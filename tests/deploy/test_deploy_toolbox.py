"""The toolbox: away until it is asked for, it waits, ends when told to, and has what the worker has."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.deploy.cluster import Object, built, environment, mounted_files, named, of_kind, the, worker
from tests.deploy.test_deploy_kustomize import OVERLAYS, PRODUCTION
from tests.stream.streamkit import until

WRITABLE = "/tmp"  # noqa: S108  the pod's own

if TYPE_CHECKING:
    from collections.abc import Iterator


def toolbox(objects: list[Object]) -> Object:
    return named(objects, "Deployment", "mms-toolbox")["spec"]


def container(objects: list[Object]) -> Object:
    (found,) = toolbox(objects)["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("name", OVERLAYS)
def test_there_is_none_until_somebody_asks_for_it(name: str) -> None:
    assert toolbox(built(name))["replicas"] == 0


@pytest.mark.parametrize("name", OVERLAYS)
def test_it_has_the_settings_of_the_workers(name: str) -> None:
    objects = built(name)
    ours, theirs = toolbox(objects)["template"], worker(objects)
    assert environment(objects, ours) == environment(objects, theirs)
    assert mounted_files(ours) == mounted_files(theirs)
    assert ours["spec"]["securityContext"] == theirs["spec"]["securityContext"]


@pytest.mark.parametrize("name", OVERLAYS)
def test_it_works_where_it_may_write(name: str) -> None:
    objects = built(name)
    written = [one for one in toolbox(objects)["template"]["spec"]["volumes"] if "emptyDir" in one]
    mounts = {mount["name"]: mount["mountPath"] for mount in container(objects)["volumeMounts"]}
    assert [mounts[one["name"]] for one in written] == [WRITABLE]
    assert container(objects)["workingDir"] == WRITABLE
    assert all("sizeLimit" in one["emptyDir"] for one in written)


def test_it_is_none_of_the_workers_that_are_scaled() -> None:
    objects = built(PRODUCTION)
    assert the(objects, "ScaledObject")["spec"]["scaleTargetRef"]["name"] == "mms-worker"
    assert not of_kind(objects, "Service")


async def test_it_waits_and_ends_when_it_is_told_to() -> None:
    program, *arguments = container(built("overlays/dev"))["command"]
    assert program == "python"
    with as_first_process(sys.executable, *arguments) as process:

        def has_ended() -> bool:
            process.send_signal(signal.SIGTERM)
            return process.poll() is not None

        assert process.poll() is None
        await until(has_ended, "the end of the toolbox")
        assert process.returncode == 0


@contextmanager
def as_first_process(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process without a default for SIGTERM, like the first one of a container; it is killed in the end."""
    # What ignores a signal hands that down: there is no moment in which the process has the default.
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        started = subprocess.Popen(command)
    finally:
        signal.signal(signal.SIGTERM, before)
    with started as process:
        try:
            yield process
        finally:
            process.kill()
