"""The folder of keys: what is a key there, what is not, and what is said of it."""

from __future__ import annotations

import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import pytest

from tests.sealing.keys import add_key, folder_of, secret
from worker.settings import Settings
from worker.stream.errors import Refused
from worker.stream.sealing.closed import CannotOpen
from worker.stream.sealing.envelope import MOST_ID_BYTES, history_place
from worker.stream.sealing.folder import HOW, read_keys
from worker.stream.sealing.opening import opener_of, sealer_of

PLACE = history_place("history", 0)


def test_each_file_is_a_key_and_its_name_the_id(tmp_path: Path) -> None:
    assert read_keys(folder_of(tmp_path, "2026-11", "2027-01")).keys() == {"2026-11", "2027-01"}


def test_a_folder_as_kubernetes_mounts_a_secret_is_read(tmp_path: Path) -> None:
    data = tmp_path / "..2026_11_22_10_00_00.1"
    data.mkdir()
    add_key(data, "a")
    (tmp_path / "..data").symlink_to(data.name)
    (tmp_path / "a").symlink_to("..data/a")
    (tmp_path / ".hidden").write_text("no key")
    assert read_keys(tmp_path).keys() == {"a"}


def test_a_key_that_is_being_taken_away_is_none(tmp_path: Path) -> None:
    """Kubernetes takes the file away first, and then the link to it."""
    folder = folder_of(tmp_path, "b")
    (folder / "a").symlink_to("..data/a")
    assert read_keys(folder).keys() == {"b"}


def test_what_the_documented_command_writes_is_a_key(tmp_path: Path) -> None:
    subprocess.run(["/bin/sh", "-c", f"{HOW} > {tmp_path}/a"], check=True)
    assert read_keys(tmp_path).keys() == {"a"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        secret("a"),
        b64encode(secret("a")[:31]),
        b64encode(secret("a") + b"\x00"),
        b64encode(secret("a"))[:-1],
        b64encode(secret("a"))[:20] + b"\n" + b64encode(secret("a"))[20:],
        b64encode(secret("a")) + b"\n" + b64encode(secret("a")),
        b64encode(secret("a")).replace(b"=", b"!"),
        secret("a").hex().encode(),
        b"A" * 100_000,
    ],
)
def test_a_file_that_holds_no_key_is_named_and_not_quoted(tmp_path: Path, content: bytes) -> None:
    folder = folder_of(tmp_path, "good")
    (folder / "a").write_bytes(content)
    with pytest.raises(Refused) as refused:
        read_keys(folder)
    assert str(refused.value) == (
        f"the sealing key {folder}/a must be 32 bytes in base64, on one line; make one by: {HOW}"
    )
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("name", ["a b", "a\nb", "k+", "k" * (MOST_ID_BYTES + 1)])
def test_a_name_that_is_no_id_is_refused_on_one_line(tmp_path: Path, name: str) -> None:
    add_key(tmp_path, name)
    with pytest.raises(Refused, match="cannot be a key's id") as refused:
        read_keys(tmp_path)
    assert str(refused.value).isprintable()


def test_a_file_or_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(Refused, match=f"the sealing key {tmp_path}/a cannot be read: Is a directory"):
        read_keys(tmp_path)
    with pytest.raises(Refused, match=r"MMS_SEALING_KEYS_DIR .*/none cannot be read: No such file"):
        read_keys(tmp_path / "none")


def test_without_settings_nothing_is_sealed_and_nothing_opens() -> None:
    assert sealer_of(Settings()) is None
    with pytest.raises(CannotOpen):
        opener_of(Settings()).open(b"\xff\x01", PLACE, None)


def test_a_folder_alone_opens_and_does_not_seal(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "a")
    sealer = sealer_of(Settings(sealing_keys_dir=folder, sealing_key="a"))
    assert sealer is not None
    reading = Settings(sealing_keys_dir=folder)
    assert opener_of(reading).open(sealer.seal(b"x", PLACE, None), PLACE, None) == ("a", b"x")
    assert sealer_of(reading) is None


def test_a_current_key_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"MMS_SEALING_KEY names the key b, which .* does not have"):
        sealer_of(Settings(sealing_keys_dir=folder_of(tmp_path, "a"), sealing_key="b"))


def test_keys_are_read_anew_each_time(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "a")
    add_key(folder, "b")
    assert sealer_of(Settings(sealing_keys_dir=folder, sealing_key="b")) is not None


def test_without_cryptography_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("folder", "master", "sealer", "opener"):
        monkeypatch.delitem(sys.modules, f"worker.stream.sealing.{module}", raising=False)
    for module in [name for name in sys.modules if name.startswith("cryptography")]:
        monkeypatch.setitem(sys.modules, module, None)  # type: ignore[arg-type]  how an import is made to fail
    settings = Settings(sealing_keys_dir=folder_of(tmp_path, "a"), sealing_key="a")
    for asked in (sealer_of, opener_of):
        with pytest.raises(Refused, match=r"pip install 'mms-adjudication-worker\[crypto\]'"):
            asked(settings)
    assert sealer_of(Settings()) is None


def test_cryptography_is_not_even_imported_by_a_worker_that_seals_nothing() -> None:
    said = "import sys, worker.stream.lane; print(any(m.startswith('cryptography') for m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
