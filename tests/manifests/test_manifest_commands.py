"""What decides claims is as its manifest lists it, by the command line; a draft need not be."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from tests.manifests.conftest import mms_worker, sha256sum
from tests.stream.streamkit import Stream
from worker.codes.releases import PACKAGE_DATA
from worker.devkit.generator import events
from worker.manifest import MANIFEST
from worker.policies.files import PACKAGE_POLICIES, PAYERS

NCCI = "ncci.toml"
UNITS = "ncci-mue/2024-07-01_2024Q3.csv"


def change(file: Path) -> None:
    with file.open("a") as opened:
        opened.write("# another edition\n")


def policy_changed(place: Path) -> None:
    change(place / "policies" / NCCI)


def policy_missing(place: Path) -> None:
    (place / "policies" / NCCI).unlink()


def policy_added(place: Path) -> None:
    shutil.copy(place / "policies" / NCCI, place / "policies" / "more.toml")


def payers_changed(place: Path) -> None:
    change(place / "policies" / PAYERS)


def policies_without_manifest(place: Path) -> None:
    (place / "policies" / MANIFEST).unlink()


def malformed_manifest(place: Path) -> None:
    change(place / "policies" / MANIFEST)


def no_policy_at_all(place: Path) -> None:
    shutil.rmtree(place / "policies")
    (place / "policies").mkdir()


def only_a_manifest(place: Path) -> None:
    for file in (place / "policies").glob("*.toml"):
        file.unlink()


def codes_changed(place: Path) -> None:
    change(place / "codes" / UNITS)


def codes_added(place: Path) -> None:
    shutil.copy(place / "codes" / UNITS, place / "codes" / "ncci-mue" / "2025-07-01_2025Q3.csv")


def codes_without_manifest(place: Path) -> None:
    (place / "codes" / MANIFEST).unlink()


def file_of_payers_unlisted(place: Path) -> None:
    (place / "who.toml.sha256").unlink()


def file_of_payers_changed(place: Path) -> None:
    change(place / "who.toml")


Harm = Callable[[Path], None]
REFUSED: list[tuple[Harm, str]] = [
    (policy_changed, "policies/ncci.toml: it is not what SHA256SUMS says (SHA-256): restore it, or"),
    (policy_missing, "policies/ncci.toml: listed in SHA256SUMS, but not among the files that are read here"),
    (policy_added, "policies/more.toml: not listed in SHA256SUMS: remove it, or"),
    (payers_changed, "policies/payers.toml: it is not what SHA256SUMS says"),
    (policies_without_manifest, "policies/SHA256SUMS: there is no manifest of these files"),
    (malformed_manifest, "policies/SHA256SUMS: line 6: no line as sha256sum writes it"),
    (no_policy_at_all, "policies/SHA256SUMS: there is no manifest of these files"),
    (only_a_manifest, "policies/mms-coding.toml: listed in SHA256SUMS, but not among the files"),
    (codes_changed, f"codes/{UNITS}: it is not what SHA256SUMS says (SHA-256): restore it, or"),
    (codes_added, "codes/ncci-mue/2025-07-01_2025Q3.csv: not listed in SHA256SUMS: remove it, or"),
    (codes_without_manifest, "codes/SHA256SUMS: there is no manifest of these files"),
    (file_of_payers_unlisted, "who.toml.sha256: there is no manifest of these files"),
    (file_of_payers_changed, "who.toml: it is not what who.toml.sha256 says (SHA-256): restore it, or"),
]


@pytest.fixture
def place(tmp_path: Path, policies: Path, codes: Path) -> Path:
    """A folder of policies, code sets and a file of payers that stands in, all as listed."""
    assert (policies.parent, codes.parent) == (tmp_path, tmp_path)
    shutil.copy(PACKAGE_POLICIES / PAYERS, tmp_path / "who.toml")
    written = mms_worker("policy", "manifest", "--payers", tmp_path / "who.toml")
    assert written == (0, f"{tmp_path}/who.toml.sha256 lists 1 file\n", "")
    assert sha256sum(tmp_path, "who.toml.sha256") == 0
    return tmp_path


def options(place: Path) -> list[str]:
    names = {"--policies-dir": "policies", "--codes-dir": "codes", "--payers": "who.toml"}
    return [part for option, name in names.items() for part in (option, str(place / name))]


@pytest.mark.parametrize(("harm", "told"), REFUSED, ids=[harm.__name__ for harm, _ in REFUSED])
def test_adjudicate_refuses_what_is_not_as_listed_in_one_line(place: Path, harm: Harm, told: str) -> None:
    harm(place)
    ended = mms_worker("adjudicate", "-", *options(place))
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"mms-worker: {place}/{told}")
    assert ended.err.count("\n") == 1
    repair = "codes" if harm.__name__.startswith("codes") else "policy"
    assert f"`mms-worker {repair} manifest -" in ended.err


@pytest.mark.parametrize("command", [("adjudicate", "-"), ("explain", "-", "--claim", "CLM-1")])
def test_what_is_as_listed_decides(place: Path, command: tuple[str, ...]) -> None:
    for note in (place / "policies" / "README.md", place / "codes" / "README.md"):
        note.write_text("What is not read needs no line in a manifest.\n")
    ended = mms_worker(*command, *options(place))
    assert "manifest" not in ended.err
    assert ended.code == (0 if command[0] == "adjudicate" else 1)  # there is no such claim


def test_explain_refuses_what_is_not_as_listed(place: Path) -> None:
    policy_changed(place)
    ended = mms_worker("explain", "-", "--claim", "CLM-1", *options(place))
    assert (ended.code, ended.out) == (2, "")
    assert "ncci.toml: it is not what SHA256SUMS says" in ended.err


@pytest.mark.parametrize(
    ("harm", "told"),
    [(policy_changed, "ncci.toml: it is not what SHA256SUMS"), (codes_changed, f"{UNITS}: it is not what")],
)
async def test_the_worker_refuses_before_it_joins_its_group(
    stream: Stream, place: Path, harm: Harm, told: str
) -> None:
    harm(place)
    worker = stream.worker(policies_dir=place / "policies", codes_dir=place / "codes")
    assert await worker.ended() == 2
    assert told in worker.text
    async with stream.administration() as client:
        groups = {name for name, _ in await client.list_consumer_groups()}
    assert stream.settings.app_id not in groups


# --- the manifests that the commands write ---


def test_policies_that_are_listed_anew_are_taken_again(policies: Path) -> None:
    change(policies / NCCI)
    assert sha256sum(policies) == 1
    written = mms_worker("policy", "manifest", "--dir", policies)
    assert written == (0, f"{policies}/SHA256SUMS lists 5 files\n", "")
    assert sha256sum(policies) == 0
    assert mms_worker("adjudicate", "-", "--policies-dir", policies).code == 0


def test_code_sets_that_are_listed_anew_are_taken_again(codes: Path) -> None:
    (codes / MANIFEST).unlink()
    written = mms_worker("codes", "manifest", "--dir", codes)
    assert written == (0, f"{codes}/SHA256SUMS lists 14 files\n", "")
    assert (codes / MANIFEST).read_bytes() == (PACKAGE_DATA / MANIFEST).read_bytes()
    assert (codes / MANIFEST).stat().st_mode & 0o777 == 0o644


def test_what_does_not_check_is_not_listed(policies: Path, codes: Path) -> None:
    before = (policies / MANIFEST).read_bytes(), (codes / MANIFEST).read_bytes()
    (policies / NCCI).write_text("id = \n")
    (codes / UNITS).write_text("17311\n")
    of_policies = mms_worker("policy", "manifest", "--dir", policies)
    of_codes = mms_worker("codes", "manifest", "--dir", codes)
    assert (of_policies.code, of_codes.code) == (1, 1)
    assert "ncci.toml: not TOML" in of_policies.err
    assert f"{UNITS}:1: " in of_codes.err
    assert ((policies / MANIFEST).read_bytes(), (codes / MANIFEST).read_bytes()) == before


def test_payers_that_lie_alone_are_listed_without_touching_the_package(tmp_path: Path) -> None:
    package = (PACKAGE_POLICIES / MANIFEST).stat()
    shutil.copy(PACKAGE_POLICIES / PAYERS, tmp_path / "who.toml")
    mms_worker("policy", "manifest", MMS_PAYERS_FILE=str(tmp_path / "who.toml"))
    assert (tmp_path / "who.toml.sha256").is_file()
    assert (PACKAGE_POLICIES / MANIFEST).stat() == package
    assert mms_worker("adjudicate", "-", "--payers", tmp_path / "who.toml").code == 0


def test_a_folder_that_cannot_be_written_to_is_told(policies: Path) -> None:
    (policies / MANIFEST).unlink()
    (policies / MANIFEST).mkdir()
    ended = mms_worker("policy", "manifest", "--dir", policies)
    assert (ended.code, ended.out) == (2, "")
    assert "SHA256SUMS: cannot be written: Is a directory" in ended.err
    assert {path.name for path in policies.iterdir() if path.name.startswith((".", "tmp"))} == set()


def test_an_import_lists_what_it_brings(codes: Path, tmp_path: Path) -> None:
    published = Path(__file__).parents[1] / "codes/files/MCR_MUE_PractitionerServices_Eff_07-01-2026.csv"
    for into in (codes, tmp_path / "new"):
        assert mms_worker("codes", "import", "ncci-mue", published, "--into", into).code == 0
        assert sha256sum(into) == 0
        assert mms_worker("adjudicate", "-", "--codes-dir", into).code == 0


# --- drafts ---


@pytest.mark.parametrize("harm", [policy_changed, policies_without_manifest])
def test_a_draft_is_checked_shown_and_compared_without_a_manifest(policies: Path, harm: Harm) -> None:
    harm(policies.parent)
    checked = mms_worker("policy", "check", "--dir", policies)
    assert (checked.code, checked.out) == (0, "4 policies check\n")
    assert checked.err.startswith("mms-worker: no worker starts on them: ")
    assert "`mms-worker policy manifest --dir " in checked.err
    for command in (("list",), ("show", "ncci"), ("diff", "ncci", "--dir", str(PACKAGE_POLICIES))):
        ended = mms_worker("policy", *command, "--dir", policies)
        assert (ended.code, ended.err) == (0, "")


def test_what_draft_policies_would_change_is_told_but_not_by_changed_ones_in_force(
    policies: Path, tmp_path: Path
) -> None:
    policy_changed(tmp_path)
    archive = tmp_path / "events.jsonl"
    archive.write_bytes(b"".join(orjson.dumps(event) + b"\n" for event in events(20, seed=1)))
    ask = ["policy", "impact", "--events", archive]
    assert mms_worker(*ask, "--policies", policies).code == 0
    refused = mms_worker(*ask, "--policies", PACKAGE_POLICIES, "--policies-dir", policies)
    assert refused.code == 2
    assert "ncci.toml: it is not what SHA256SUMS says" in refused.err


def test_a_draft_of_code_sets_is_checked_with_a_note(codes: Path) -> None:
    change(codes / "places-of-service" / "2024-06-01_2024-06.csv")
    text = (PACKAGE_DATA / "places-of-service" / "2024-06-01_2024-06.csv").read_text()
    (codes / "places-of-service" / "2024-06-01_2024-06.csv").write_text(text.rpartition("\n9")[0] + "\n")
    checked = mms_worker("codes", "check", "--dir", codes)
    assert checked.code == 0, checked.err
    assert "2024-06.csv: no worker starts on it: it is not what SHA256SUMS says" in checked.out
    assert mms_worker("codes", "list", "--dir", codes).code == 0
