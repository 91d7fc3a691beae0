"""What a replay's folder is checked by: whatever is changed, lost or added shows, and nothing else does."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from shutil import copytree
from typing import TYPE_CHECKING, NamedTuple

import orjson
import pytest

from tests.replay.replaykit import made_up, write
from tests.replay.test_replay_what_if import moved_policies
from worker.codes.releases import PACKAGE_DATA
from worker.policies.catalog import PACKAGE_POLICIES, PAYERS
from worker.replay.output.manifest import CSV, MANIFEST, OUTPUTS, REPORT, SUMMARY

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S = 120.0


class Ended(NamedTuple):
    code: int
    out: str
    err: str

    def state_of(self, name: str) -> str | None:
        """What the table says of an output or input."""
        rows = (line.split() for line in self.out.splitlines())
        return next((" ".join(row[2:]) for row in rows if row[1:2] == [name]), None)


def mms_worker(directory: Path, *arguments: str) -> Ended:
    command = [sys.executable, "-m", "worker", *arguments]
    done = subprocess.run(
        command,
        cwd=directory,
        env={"PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


REPLAY = ("replay", "--events", "events.jsonl", "--results", "results.jsonl", "--out", "out")


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    directory = tmp_path_factory.mktemp("replayed")
    write(directory, made_up(200))
    return directory, mms_worker(directory, *REPLAY)


@pytest.fixture
def folder(replayed: tuple[Path, Ended], tmp_path: Path) -> Path:
    """A copy of the replay's directory, to harm: ``out`` and what it was made from beside it."""
    return Path(copytree(replayed[0], tmp_path / "copy"))


def test_a_replay_leaves_its_outputs_and_tells_the_manifests_digest(replayed: tuple[Path, Ended]) -> None:
    directory, ended = replayed
    assert (ended.code, ended.err) == (0, "")
    out = directory / "out"
    assert sorted(path.name for path in out.iterdir()) == sorted((*OUTPUTS, MANIFEST))
    assert f"manifest  SHA-256 {hashlib.sha256((out / MANIFEST).read_bytes()).hexdigest()}" in ended.out


def test_the_manifest_names_every_file_with_its_digest(replayed: tuple[Path, Ended]) -> None:
    directory, _ = replayed
    manifest = orjson.loads((directory / "out" / MANIFEST).read_bytes())
    (run,) = manifest["runs"]
    assert run["command"] == list(REPLAY)
    for base, listed in ((directory, manifest["inputs"]), (directory / "out", manifest["outputs"])):
        for one in listed:
            data = (base / one["name"]).read_bytes()
            assert (one["bytes"], one["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())


def test_what_was_not_touched_is_verified(folder: Path) -> None:
    ended = mms_worker(folder, "replay", "verify", "out", "--inputs")
    assert (ended.code, ended.err) == (0, "")
    assert "verified: 6 of 6 match" in ended.out
    assert hashlib.sha256((folder / "out" / MANIFEST).read_bytes()).hexdigest() in ended.out


def change_a_byte(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def append(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"\n")


HARM: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "a byte of the table": (f"out/{CSV}", change_a_byte, "differs"),
    "a line more in the summary": (f"out/{SUMMARY}", append, "differs"),
    "no report": (f"out/{REPORT}", Path.unlink, "missing"),
    "a file more": ("out/notes.txt", Path.touch, "added"),
    "a folder more": ("out/older", Path.mkdir, "added"),
    "a byte of the events": ("events.jsonl", change_a_byte, "differs"),
    "a line more in the results": ("results.jsonl", append, "differs"),
}


@pytest.mark.parametrize("harm", HARM)
def test_what_was_harmed_shows_and_nothing_else(folder: Path, harm: str) -> None:
    name, do, state = HARM[harm]
    do(folder / name)
    ended = mms_worker(folder, "replay", "verify", "out")
    assert ended.code == 1
    assert (ended.state_of(Path(name).name) or "").startswith(state)
    assert "not verified: 1 of " in ended.out


def test_a_hidden_file_is_none_of_the_outputs(folder: Path) -> None:
    (folder / "out" / ".DS_Store").touch()
    assert mms_worker(folder, "replay", "verify", "out").code == 0


@pytest.mark.parametrize(
    ("options", "code", "state"), [((), 0, "not checked"), (("--inputs",), 1, "missing")]
)
def test_inputs_that_are_not_there_are_told_and_fail_only_if_they_were_asked_for(
    folder: Path, options: tuple[str, ...], code: int, state: str
) -> None:
    (folder / "events.jsonl").unlink()
    ended = mms_worker(folder, "replay", "verify", "out", *options)
    assert ended.code == code
    assert ended.state_of("events.jsonl") == f"{state} No such file or directory"


def edit(folder: Path, change: Callable[[dict[str, list[dict[str, str]]]], object]) -> None:
    manifest = folder / "out" / MANIFEST
    data = orjson.loads(manifest.read_bytes())
    change(data)
    manifest.write_bytes(orjson.dumps(data))


LEFT_OUT: dict[str, tuple[Callable[[dict[str, list[dict[str, str]]]], object], set[str]]] = {
    "all inputs": (lambda manifest: manifest["inputs"].clear(), {"events.jsonl", "results.jsonl"}),
    "one of them": (lambda manifest: manifest["inputs"].pop(), {"results.jsonl"}),
    "the bytes of one": (lambda manifest: manifest["inputs"][0].update(sha256="0" * 64), {"events.jsonl"}),
}


@pytest.mark.parametrize("left_out", LEFT_OUT)
def test_inputs_cannot_be_dropped_from_the_manifest(folder: Path, left_out: str) -> None:
    change, names = LEFT_OUT[left_out]
    edit(folder, change)
    ended = mms_worker(folder, "replay", "verify", "out", "--inputs")
    assert ended.code == 1
    told = [line.split()[1] for line in ended.out.splitlines() if " not listed " in line]
    assert set(told) == names


def test_policies_cannot_be_dropped_from_the_manifest(folder: Path) -> None:
    moved_policies(folder / "new")
    shutil.rmtree(folder / "out")
    assert mms_worker(folder, *REPLAY, "--policies", "new").code == 1
    assert mms_worker(folder, "replay", "verify", "out").code == 0
    edit(folder, lambda manifest: manifest.update(inputs=manifest["inputs"][:2]))
    ended = mms_worker(folder, "replay", "verify", "out")
    assert ended.code == 1
    assert (ended.state_of("new") or "").startswith("not listed")


def test_every_file_that_was_decided_by_is_listed_and_checked(folder: Path) -> None:
    moved_policies(folder / "new")
    shutil.copytree(PACKAGE_DATA, folder / "codes")
    shutil.copy(PACKAGE_POLICIES / PAYERS, folder / "who.toml")
    shutil.rmtree(folder / "out")
    mms_worker(folder, *REPLAY, "--policies", "new", "--codes", "codes", "--payers", "who.toml")
    inputs = orjson.loads((folder / "out" / MANIFEST).read_bytes())["inputs"]
    listed = {role: {one["name"] for one in inputs if one["role"] == role} for role in ("policies", "codes")}
    policies = (file for file in (folder / "new").iterdir() if file.name != PAYERS)
    codes = (folder / "codes").glob("*/*")
    assert listed == {
        "policies": {str(file.relative_to(folder)) for file in policies},
        "codes": {str(file.relative_to(folder)) for file in codes},
    }
    append(folder / "who.toml")
    ended = mms_worker(folder, "replay", "verify", "out")
    assert ended.code == 1
    assert (ended.state_of("who.toml") or "").startswith("differs")
    assert "not verified: 1 of " in ended.out


def test_an_output_cannot_be_dropped_with_its_line_in_the_manifest(folder: Path) -> None:
    (folder / "out" / CSV).unlink()
    edit(folder, lambda manifest: manifest["outputs"].pop(0))
    ended = mms_worker(folder, "replay", "verify", "out")
    assert ended.code == 1
    assert ended.state_of(CSV) == "not listed"


NO_MANIFEST: dict[str, Callable[[Path], object]] = {
    "none": lambda folder: (folder / "out" / MANIFEST).unlink(),
    "no JSON": lambda folder: (folder / "out" / MANIFEST).write_bytes(b"{"),
    "other JSON": lambda folder: (folder / "out" / MANIFEST).write_bytes(b"{}"),
    "not UTF-8": lambda folder: (folder / "out" / MANIFEST).write_bytes(b'{"tool":"\xff"}'),
    "an output elsewhere": lambda folder: edit(
        folder, lambda manifest: manifest["outputs"][0].update(name="../events.jsonl")
    ),
}


@pytest.mark.parametrize("fault", NO_MANIFEST)
def test_without_a_manifest_that_can_be_read_nothing_is_verified(folder: Path, fault: str) -> None:
    NO_MANIFEST[fault](folder)
    ended = mms_worker(folder, "replay", "verify", "out")
    assert ended.code == 2
    assert ended.out == ""
    assert len(ended.err.splitlines()) == 1
    assert MANIFEST in ended.err
