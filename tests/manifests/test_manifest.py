"""Which files a manifest lets be read: all that it lists, as it lists them, and no others."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.manifests.conftest import sha256sum
from worker.manifest import MANIFEST, ManifestError, manifest_of, read_listed

FILES = {"a.toml": b"a = 1\n", "set/b.csv": b"code\n17311\n"}
COMMAND = "write it anew"


def line(name: str, content: bytes = b"", *, between: str = "  ") -> bytes:
    return f"{hashlib.sha256(content).hexdigest()}{between}{name}\n".encode()


A, B = (line(name, content) for name, content in FILES.items())


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A folder of the files with their manifest."""
    place = tmp_path / "files"
    (place / "set").mkdir(parents=True)
    for name, content in FILES.items():
        (place / name).write_bytes(content)
    (place / MANIFEST).write_bytes(manifest_of(FILES))
    return place


def read(directory: Path) -> dict[str, bytes]:
    return read_listed(directory / MANIFEST, [*FILES], COMMAND)


def test_what_is_read_is_what_was_digested(directory: Path) -> None:
    assert read(directory) == FILES


def test_the_standard_tool_reads_what_is_written_and_sees_what_changed(directory: Path) -> None:
    assert sha256sum(directory) == 0
    (directory / "a.toml").write_bytes(b"a = 2\n")
    assert sha256sum(directory) == 1


TAKEN = {
    "in another order": B + A,
    "as of binary files": A.replace(b"  ", b" *") + B,
    "without an end of the last line": A + B[:-1],
}


@pytest.mark.parametrize("content", TAKEN.values(), ids=TAKEN)
def test_a_manifest_as_other_tools_write_it_is_taken(directory: Path, content: bytes) -> None:
    (directory / MANIFEST).write_bytes(content)
    assert sha256sum(directory) == 0
    assert read(directory) == FILES


REFUSED = {
    "empty": (b"", "SHA256SUMS: line 1: no line as sha256sum writes it"),
    "a line of another kind": (A + B + b"# checked\n", "line 3: no line as sha256sum writes it"),
    "an empty line": (A + b"\n" + B, "line 2: no line as sha256sum writes it"),
    "an empty line at the end": (A + B + b"\n", "line 3: no line as sha256sum writes it"),
    "ends of lines as of Windows": ((A + B).replace(b"\n", b"\r\n"), "line 1: the name is no plain path"),
    "a byte order mark": (b"\xef\xbb\xbf" + A + B, "line 1: no line as sha256sum writes it"),
    "a digest that is too short": (A[1:] + B, "line 1: no line as sha256sum writes it"),
    "a digest that is too long": (b"0" + A + B, "line 1: no line as sha256sum writes it"),
    "a digest in capitals": (A[:64].upper() + A[64:] + B, "line 1: no line as sha256sum writes it"),
    "one space": (A.replace(b"  ", b" ") + B, "line 1: no line as sha256sum writes it"),
    "no name": (A + B[:66] + b"\n", "line 2: no line as sha256sum writes it"),
    "a name that is not UTF-8": (A + B.replace(b"b.csv", b"\xff.csv"), "line 2: not UTF-8"),
    "an absolute name": (A + line("/etc/passwd"), "line 2: the name is no plain path"),
    "a name that leads out": (A + line("../b.csv"), "line 2: the name is no plain path"),
    "a name that leads out and in": (A + line("set/../set/b.csv"), "line 2: the name is no plain path"),
    "a name by way of the folder itself": (line("./a.toml") + B, "line 1: the name is no plain path"),
    "a name with nothing between slashes": (A + line("set//b.csv"), "line 2: the name is no plain path"),
    "a folder": (A + line("set/"), "line 2: the name is no plain path"),
    "an escaped name": (A + b"\\" + B, "line 2: no line as sha256sum writes it"),
    "a backslash": (A + line("set\\b.csv"), "line 2: the name is no plain path"),
    "a name that a terminal obeys": (A + line("\x1b[2Jb.csv"), "line 2: the name is no plain path"),
    "a name twice": (A + B + A, "line 3: the name is listed twice"),
    "a name twice with another digest": (A + B + line("a.toml"), "line 3: the name is listed twice"),
    "a file less": (A, "set/b.csv: not listed in SHA256SUMS: remove it, or"),
    "a file more": (A + B + line("c.toml"), "c.toml: listed in SHA256SUMS, but not among the files"),
    "itself": (A + B + line(MANIFEST), "SHA256SUMS: listed in SHA256SUMS, but not among the files"),
    "another digest": (line("a.toml") + B, "a.toml: it is not what SHA256SUMS says (SHA-256)"),
    "digests exchanged": (line("a.toml", FILES["set/b.csv"]) + B, "a.toml: it is not what SHA256SUMS says"),
}


@pytest.mark.parametrize(("content", "told"), REFUSED.values(), ids=REFUSED)
def test_a_manifest_that_does_not_list_the_files_as_they_are_is_refused(
    directory: Path, content: bytes, told: str
) -> None:
    (directory / MANIFEST).write_bytes(content)
    with pytest.raises(ManifestError) as refused:
        read(directory)
    message = str(refused.value)
    assert message.startswith(str(directory))
    assert told in message
    assert f"`{COMMAND}`" in message
    assert message.isprintable()


def no_manifest(directory: Path) -> None:
    (directory / MANIFEST).unlink()


def file_changed(directory: Path) -> None:
    (directory / "a.toml").write_bytes(b"a = 2\n")


def file_cut(directory: Path) -> None:
    (directory / "a.toml").write_bytes(b"")


def file_replaced_by_folder(directory: Path) -> None:
    (directory / "a.toml").unlink()
    (directory / "a.toml").mkdir()


def file_replaced_by_pipe(directory: Path) -> None:
    """Which to read would wait for ever."""
    (directory / "a.toml").unlink()
    os.mkfifo(directory / "a.toml")


def manifest_replaced_by_pipe(directory: Path) -> None:
    (directory / MANIFEST).unlink()
    os.mkfifo(directory / MANIFEST)


def file_linked_from_outside(directory: Path) -> None:
    (directory / "a.toml").rename(directory.parent / "a.toml")
    (directory / "a.toml").symlink_to("../a.toml")


def folder_linked_from_outside(directory: Path) -> None:
    (directory / "set").rename(directory.parent / "set")
    (directory / "set").symlink_to(directory.parent / "set")


def manifest_linked_from_outside(directory: Path) -> None:
    (directory / MANIFEST).rename(directory.parent / MANIFEST)
    (directory / MANIFEST).symlink_to(f"../{MANIFEST}")


def link_to_nothing(directory: Path) -> None:
    (directory / "a.toml").unlink()
    (directory / "a.toml").symlink_to("none.toml")


def link_to_itself(directory: Path) -> None:
    (directory / "a.toml").unlink()
    (directory / "a.toml").symlink_to("a.toml")


HARMED: list[tuple[Callable[[Path], None], str]] = [
    (no_manifest, "SHA256SUMS: there is no manifest of these files; `write it anew` writes it"),
    (file_changed, "a.toml: it is not what SHA256SUMS says (SHA-256): restore it, or"),
    (file_cut, "a.toml: it is not what SHA256SUMS says (SHA-256): restore it, or"),
    (file_replaced_by_folder, "a.toml: no regular file"),
    (file_replaced_by_pipe, "a.toml: no regular file"),
    (manifest_replaced_by_pipe, "SHA256SUMS: no regular file"),
    (file_linked_from_outside, "a.toml: a link that leads out of its directory"),
    (folder_linked_from_outside, "set/b.csv: a link that leads out of its directory"),
    (manifest_linked_from_outside, "SHA256SUMS: a link that leads out of its directory"),
    (link_to_nothing, "a.toml: cannot be read: No such file or directory"),
    (link_to_itself, "a.toml: cannot be read: Too many levels of symbolic links"),
]


@pytest.mark.parametrize(("harm", "told"), HARMED, ids=[harm.__name__ for harm, _ in HARMED])
def test_files_that_are_not_as_listed_are_refused(
    directory: Path, harm: Callable[[Path], None], told: str
) -> None:
    harm(directory)
    with pytest.raises(ManifestError) as refused:
        read(directory)
    assert str(refused.value).startswith(f"{directory}/{told}")


def test_a_mounted_volume_whose_files_are_links_within_it_is_read(directory: Path) -> None:
    """As Kubernetes mounts a ConfigMap or a Secret, and exchanges all of it at once."""
    held = directory / "..2026_11_22_03_00_00.1"
    held.mkdir()
    for path in [path for path in directory.iterdir() if path != held]:
        path.rename(held / path.name)
        path.symlink_to(f"..data/{path.name}")
    (directory / "..data").symlink_to(held.name)
    assert read(directory) == FILES
    assert sha256sum(directory) == 0


def test_a_link_to_the_whole_folder_is_followed(directory: Path) -> None:
    """As of a checkout whose current version is a link."""
    (directory.parent / "current").symlink_to(directory.name)
    assert read(directory.parent / "current") == FILES


def test_names_that_no_manifest_can_list_are_not_written() -> None:
    for name in ("a\nb.toml", "/a.toml", "../a.toml", "a\\b.toml", "\udcff.toml", ""):
        with pytest.raises(ManifestError, match="no manifest can list a file of this name") as refused:
            manifest_of({"b.toml": b"", name: b""})
        assert str(refused.value).isprintable()


@given(st.dictionaries(st.text(min_size=1, max_size=12), st.binary(max_size=40), min_size=1, max_size=5))
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    try:
        content = manifest_of(files)
    except ManifestError:
        return
    directory = tmp_path_factory.mktemp("written")
    try:
        for name, one in files.items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_bytes(one)
    except OSError:
        return  # one name is the folder of another
    (directory / MANIFEST).write_bytes(content)
    if MANIFEST not in files:
        assert read_listed(directory / MANIFEST, [*files], COMMAND) == files


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_no_manifest_whatever_is_in_it_breaks_the_reading(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    directory = tmp_path_factory.getbasetemp()
    manifest = directory / "any.sha256"
    manifest.write_bytes(content)
    with pytest.raises(ManifestError) as refused:
        read_listed(manifest, ["a.toml"], COMMAND)
    assert str(refused.value).isprintable()
