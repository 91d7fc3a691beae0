"""Kafka's jars are fetched once, whole, and by one process at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from worker.devkit.jars import BrokerError, PrerequisiteError, kafka_jars, kafka_version

if TYPE_CHECKING:
    from pathlib import Path

# Stands for Maven: notes that it ran, then fills the output directory.
MAVEN = """#!/bin/sh
echo ran >> {notes}
for word in "$@"; do case $word in -DoutputDirectory=*) out=${{word#*=}};; esac; done
mkdir -p "$out" && echo jar > "$out/kafka-clients-4.9.9.jar"
"""


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the stand-in for Maven, first on the PATH, notes its runs."""
    notes = tmp_path / "notes"
    put_maven(tmp_path, MAVEN.format(notes=notes))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    return notes


@pytest.fixture
def pom(tmp_path: Path) -> Path:
    path = tmp_path / "pom.xml"
    path.write_text("<project/>")
    return path


def put_maven(tmp_path: Path, script: str) -> None:
    maven = tmp_path / "bin" / "mvn"
    maven.parent.mkdir(exist_ok=True)
    maven.write_text(script)
    maven.chmod(0o755)


def test_jars_are_fetched_once(tmp_path: Path, notes: Path, pom: Path) -> None:
    lib = kafka_jars(tmp_path / "build", pom)

    assert kafka_jars(tmp_path / "build", pom) == lib
    assert kafka_version(lib) == "4.9.9"
    assert notes.read_text() == "ran\n"


def test_another_pom_fetches_again_and_leaves_no_old_jar(tmp_path: Path, notes: Path, pom: Path) -> None:
    lib = kafka_jars(tmp_path / "build", pom)
    (lib / "old.jar").touch()
    pom.write_text("<project>newer</project>")

    assert not (kafka_jars(tmp_path / "build", pom) / "old.jar").exists()
    assert notes.read_text() == "ran\nran\n"


def test_of_several_at_once_one_fetches_and_the_others_wait(tmp_path: Path, notes: Path, pom: Path) -> None:
    with ThreadPoolExecutor(max_workers=4) as pool:
        found = list(pool.map(lambda _: kafka_jars(tmp_path / "build", pom), range(4)))

    assert len(set(found)) == 1
    assert notes.read_text() == "ran\n"


def test_a_failing_maven_is_quoted_and_leaves_nothing_that_looks_filled(
    tmp_path: Path, notes: Path, pom: Path
) -> None:
    put_maven(tmp_path, "#!/bin/sh\necho 'no such artifact'\nexit 1\n")

    with pytest.raises(BrokerError, match=r"(?s)could not fetch.*no such artifact"):
        kafka_jars(tmp_path / "build", pom)
    put_maven(tmp_path, MAVEN.format(notes=notes))
    assert kafka_version(kafka_jars(tmp_path / "build", pom)) == "4.9.9"


def test_without_maven_it_is_told_what_to_install_unless_the_jars_are_there(
    tmp_path: Path, notes: Path, pom: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lib = kafka_jars(tmp_path / "build", pom)
    monkeypatch.setenv("PATH", "/nowhere")

    assert kafka_jars(tmp_path / "build", pom) == lib
    with pytest.raises(PrerequisiteError, match="install Apache Maven"):
        kafka_jars(tmp_path / "elsewhere", pom)
