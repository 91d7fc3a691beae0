"""The outside reference: Kafka Streams with exactly-once, in Java, built once into ``build/bench/streams``.

It is a contestant like those in ``peers``: its environment is theirs, and its command is ``command()``.
``streams/README.md`` says what it does and what it does not.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from subprocess import TimeoutExpired

from worker.devkit.jars import PROJECT, BrokerError, PrerequisiteError, java, kafka_jars, kafka_version
from worker.devkit.process import run

SOURCES = Path(__file__).with_name("streams")
BUILD = PROJECT / "build" / "bench" / "streams"
MAIN = "mms.bench.streams.Contestant"
BUILD_SECONDS = 600
"""Longest that Maven may take; Kafka Streams brings 100 MB of jars, once."""

# A heap that grows while it is measured would be measured too. Of what is logged, errors alone are wanted.
_JVM = ("-Xms2g", "-Xmx2g", "-XX:+UseParallelGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error")


def command() -> list[str]:
    """What starts it, built first if its sources are others than those that were built.

    The Kafka Streams is of the version of the broker's jars. Safe to call from several processes at once.
    Raises PrerequisiteError if there is no fitting Java or no Maven, BrokerError if it cannot be built.
    """
    found = java()
    version = kafka_version(kafka_jars())
    wanted = _version(version)
    target = BUILD / "target"
    if _stamp(target) != wanted:
        with _alone():
            if _stamp(target) != wanted:
                _build(target, version, wanted)
    return [found, *_JVM, "-cp", f"{target / 'classes'}:{target / 'lib'}/*", MAIN]


def _version(kafka: str) -> str:
    """A digest of all that it is built from."""
    digest = sha256(kafka.encode())
    for file in [SOURCES / "pom.xml", *sorted(SOURCES.rglob("*.java"))]:
        digest.update(str(file.relative_to(SOURCES)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _stamp(target: Path) -> str | None:
    stamp = target / "sources.sha256"
    return stamp.read_text() if stamp.is_file() else None


@contextmanager
def _alone() -> Iterator[None]:
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(target: Path, kafka: str, stamp: str) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise PrerequisiteError("no mvn on the PATH: install Apache Maven, it builds the contestant in Java")
    # Built beside its place and moved there whole: an interrupted build leaves nothing half built.
    new = target.with_name("target.new")
    shutil.rmtree(new, ignore_errors=True)
    goals = ["compiler:compile", "dependency:copy-dependencies"]
    given = [f"-Dkafka.version={kafka}", f"-Dbench.directory={new}"]
    try:
        done = run(
            [maven, "--batch-mode", "--quiet", "--file", str(SOURCES / "pom.xml"), *goals, *given],
            within=BUILD_SECONDS,
        )
    except TimeoutExpired:
        raise BrokerError(f"Maven did not build {SOURCES} in {BUILD_SECONDS} s") from None
    if done.returncode != 0:
        raise BrokerError(f"Maven could not build {SOURCES}:\n{done.stdout.strip()[-2000:]}")
    (new / "sources.sha256").write_text(stamp)
    shutil.rmtree(target, ignore_errors=True)
    new.rename(target)
