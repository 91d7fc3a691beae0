"""``mms-worker codes`` as a user meets it: words, streams and exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from worker.codes.releases import PACKAGE_DATA


def codes(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs the command in a process of its own."""
    command = [sys.executable, "-m", "worker", "codes", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False, text=True)


MUE = "MCR_MUE_PractitionerServices_Eff_07-01-2026.csv"


def test_list_tells_every_release() -> None:
    done = codes("list", "--json")
    assert done.returncode == 0, done.stderr
    entries = {(entry["code_set"], entry["release"]): entry for entry in json.loads(done.stdout)}
    assert entries["icd10cm", "FY2026"]["effective"] == "2025-10-01"
    assert entries["icd10cm", "FY2026"]["rows"] == 98_186
    assert entries["ncci-ptp", "2024Q3"]["rows"] == 763 + 8_467
    assert Path(entries["ncci-ptp", "2024Q3"]["file"]).parent == PACKAGE_DATA / "ncci-ptp"
    assert {code_set for code_set, _ in entries} == {
        folder.name for folder in PACKAGE_DATA.iterdir() if folder.is_dir()
    }


def test_list_prints_a_table_for_people() -> None:
    done = codes("list")
    assert done.returncode == 0, done.stderr
    assert "98,186" in done.stdout


def test_check_passes_the_packages_data_and_tells_its_gaps() -> None:
    done = codes("check")
    assert (done.returncode, done.stderr) == (0, "")
    assert "C4A.11 is a header" in done.stdout
    assert done.stdout.endswith("0 faults, 11 notes\n")


def test_check_fails_on_a_fault_with_file_and_line(code_directory: Path) -> None:
    edits = code_directory / "ncci-mue" / "2024-07-01_2024Q3.csv"
    edits.write_text("procedure,units,mai\n17311,4,7\n")
    done = codes("check", "--dir", code_directory)
    assert done.returncode == 1
    assert done.stderr == f"{edits}:2: mai '7' is not one of 1, 2, 3\n"
    assert done.stdout == "1 faults, 0 notes\n"


def test_lookup_speaks_of_the_day_asked_about() -> None:
    done = codes("lookup", "l98.431", "--on", "2025-10-01", "--json")
    assert json.loads(done.stdout) == [{"code_set": "icd10cm", "release": "FY2026", "says": "billable"}]
    unknown = codes("lookup", "L98.431", "--on", "2025-09-30")
    assert unknown.returncode == 1
    assert unknown.stderr == "mms-worker: no table in force on 2025-09-30 knows L98.431\n"


def test_import_says_what_it_wrote_and_when_it_is_in_force(
    code_directory: Path, publisher_files: Path
) -> None:
    parts = sorted(publisher_files.glob("ccipra-v322r0-f*"))
    done = codes("import", "ncci-ptp", *parts, "--into", code_directory)
    assert (done.returncode, done.stderr) == (0, "")
    written = code_directory / "ncci-ptp" / "2026-07-01_2026Q3.txt"
    assert done.stdout == f"imported ncci-ptp 2026Q3, 7 rows, in force from 2026-07-01: {written}\n"
    again = codes("import", "ncci-ptp", *parts, "--into", code_directory)
    assert again.returncode == 2
    assert "give --replace" in again.stderr
    assert codes("import", "ncci-ptp", *parts, "--into", code_directory, "--replace").returncode == 0


def test_import_of_a_malformed_file_exits_1_with_file_line_and_reason(
    code_directory: Path, tmp_path: Path
) -> None:
    order = tmp_path / "icd10cm_order_2027.txt"
    order.write_text("00001 A00     0 Cholera\n00002 A000    x Cholera\n")
    done = codes("import", "icd10cm", order, "--into", code_directory)
    assert done.returncode == 1
    assert done.stderr.startswith(f"mms-worker: {order}:2: not: order number")
    assert not (code_directory / "icd10cm" / "2026-10-01_FY2027.txt").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("list", "--dir", "{tmp}/none"), "{tmp}/none: there is no such code directory"),
        (("check", "--dir", "{tmp}/none"), "{tmp}/none: there is no such code directory"),
        (("check", "--json", "--dir", "{tmp}/none"), "{tmp}/none: there is no such code directory"),
        (("lookup", "17311", "--dir", "{tmp}/none"), "{tmp}/none: there is no such code directory"),
        (
            ("import", "icd10cm", "{tmp}/none.txt", "--into", "{tmp}/new"),
            "{tmp}/none.txt: cannot be read: No such file or directory",
        ),
        (
            ("import", "ncci-mue", "{tmp}", "--into", "{tmp}/new"),
            "{tmp}: cannot be read: Is a directory",
        ),
        (
            ("import", "ncci-mue", "{files}/" + MUE, "--into", "/dev/null/codes"),
            "/dev/null/codes: cannot be written: Not a directory",
        ),
    ],
)
def test_a_path_that_cannot_be_used_is_invalid_usage(
    tmp_path: Path, publisher_files: Path, arguments: tuple[str, ...], told: str
) -> None:
    done = codes(*(one.format(tmp=tmp_path, files=publisher_files) for one in arguments))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"mms-worker: {told.format(tmp=tmp_path)}\n"
    assert not (tmp_path / "new").exists()


def test_a_code_directory_without_a_set_is_a_fault_of_its_content(tmp_path: Path) -> None:
    for command in (("list",), ("check",), ("lookup", "17311")):
        done = codes(*command, "--dir", tmp_path)
        assert done.returncode == 1
        assert "icd10cm: this code set is missing" in done.stderr


def test_an_import_that_runs_out_of_room_changes_nothing_and_may_be_tried_again(
    tmp_path: Path, publisher_files: Path
) -> None:
    command = [sys.executable, "-m", "worker", "codes", "import", "ncci-mue", str(publisher_files / MUE)]
    into = ["--into", str(tmp_path / "new")]
    limited = ["sh", "-c", 'ulimit -f 500 && exec "$@"', "sh", *command, *into]
    full = subprocess.run(limited, capture_output=True, check=False, text=True)
    assert (full.returncode, full.stdout) == (2, "")
    assert full.stderr == f"mms-worker: {tmp_path / 'new'}: cannot be written: File too large\n"
    assert list(tmp_path.iterdir()) == []
    again = codes(*command[4:], *into)
    assert again.returncode == 0, again.stderr
    assert codes("check", "--dir", tmp_path / "new").returncode == 1  # the excerpt is told, nothing else


@pytest.mark.parametrize(
    ("command", "argument"), [("lookup", "CODE"), ("import", "KIND"), ("import ncci-mue", "FILES")]
)
def test_a_missing_argument_is_named_as_the_help_names_it(command: str, argument: str) -> None:
    done = codes(*command.split())
    assert done.returncode == 2
    assert f"parameter {argument} requires an argument" in done.stderr


def test_a_reader_that_has_seen_enough_is_no_fault() -> None:
    command = [sys.executable, "-m", "worker", "codes", "list"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == b""
    assert running.returncode == 0


def test_an_unknown_kind_is_invalid_usage(publisher_files: Path) -> None:
    done = codes("import", "ncci", publisher_files / "icd10cm_order_2026.txt")
    assert done.returncode == 2, done.stderr
