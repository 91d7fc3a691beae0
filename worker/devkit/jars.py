"""The jars of the pinned Apache Kafka: fetched once by Maven, then found in ``build/kafka/lib``."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from subprocess import TimeoutExpired
from typing import TYPE_CHECKING

from worker.devkit.process import run

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).parents[2]
POM = PROJECT / "deploy" / "kafka" / "pom.xml"
BUILD = PROJECT / "build" / "kafka"

OLDEST_JAVA = 17
"""What a broker of Kafka 4 needs."""
FETCH_SECONDS = 600
"""Longest that Maven may take; the jars are 45 MB."""


class BrokerError(Exception):
    """The broker cannot be run; the message says why and what to do."""


class PrerequisiteError(BrokerError):
    """The machine has no fitting Java or no Maven; the message says what to install."""


def java() -> str:
    """Path of the Java that runs the broker: that of ``JAVA_HOME``, else the one on the PATH.

    Raises PrerequisiteError if there is none or it is older than ``OLDEST_JAVA``.
    """
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=str(Path(home) / "bin") if home else None)
    if found is None:
        where = f"in JAVA_HOME ({home})" if home else "on the PATH"
        raise PrerequisiteError(f"no java {where}: install a Java {OLDEST_JAVA} runtime or newer")
    version = re.search(r'version "(?:1\.)?(\d+)', run([found, "-version"], within=60).stdout)
    if version is None or int(version[1]) < OLDEST_JAVA:
        raise PrerequisiteError(f"{found} is not Java {OLDEST_JAVA} or newer: install one or set JAVA_HOME")
    return found


def kafka_jars(build: Path = BUILD, pom: Path = POM) -> Path:
    """Directory of the broker's jars, filled first if the POM asks for others than are there.

    Safe to call from several processes at once: one fetches, the others wait for it.
    Raises PrerequisiteError if Maven is needed and not there, BrokerError if it fails.
    """
    if not pom.is_file():
        raise BrokerError(f"no {pom}: a real broker needs a checkout of the project")
    wanted = sha256(pom.read_bytes()).hexdigest()
    lib = build / "lib"
    if _stamp(lib) != wanted:
        with _alone(build):
            if _stamp(lib) != wanted:
                _fetch(lib, pom, wanted)
    return lib


def kafka_version(lib: Path) -> str:
    """The version of Apache Kafka among the jars in ``lib``."""
    return next(lib.glob("kafka-clients-*.jar")).stem.removeprefix("kafka-clients-")


def _stamp(lib: Path) -> str | None:
    stamp = lib / "pom.sha256"
    return stamp.read_text() if stamp.is_file() else None


@contextmanager
def _alone(build: Path) -> Iterator[None]:
    build.mkdir(parents=True, exist_ok=True)
    with (build / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(lib: Path, pom: Path, stamp: str) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise PrerequisiteError("no mvn on the PATH: install Apache Maven, it fetches Kafka's jars once")
    # Filled beside its place and moved there whole: an interrupted fetch leaves nothing half filled.
    new = lib.with_name("lib.new")
    shutil.rmtree(new, ignore_errors=True)
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={new}"]
    try:
        done = run([maven, "--batch-mode", "--quiet", "--file", str(pom), *goal], within=FETCH_SECONDS)
    except TimeoutExpired:
        raise BrokerError(f"Maven did not fetch the jars of {pom} in {FETCH_SECONDS} s") from None
    if done.returncode != 0:
        raise BrokerError(f"Maven could not fetch the jars of {pom}:\n{done.stdout.strip()[-2000:]}")
    (new / "pom.sha256").write_text(stamp)
    shutil.rmtree(lib, ignore_errors=True)
    new.rename(lib)
