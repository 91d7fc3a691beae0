"""Imports of the publishers' own files: what they bring, and that a faulty one changes nothing."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from worker.codes.catalog import load
from worker.codes.check import check
from worker.codes.errors import CodeManifestError, CodeSetError
from worker.codes.importing import ImportRefusedError, import_release
from worker.codes.listing import contents_of
from worker.codes.releases import PACKAGE_DATA
from worker.manifest import MANIFEST, manifest_of

PTP_1, PTP_2 = "ccipra-v322r0-f1.txt", "ccipra-v322r0-f2.TXT"
MUE = "MCR_MUE_PractitionerServices_Eff_07-01-2026.csv"
AOC = "AOC_V2026Q2-MCR.txt"
ICD = "icd10cm_order_2026.txt"
FILES = [("ncci-ptp", PTP_1), ("ncci-mue", MUE), ("ncci-aoc", AOC), ("icd10cm", ICD)]


def contents(directory: Path) -> dict[Path, bytes]:
    """Everything below a directory."""
    return {path: path.read_bytes() if path.is_file() else b"" for path in directory.rglob("*")}


def test_pairs_of_several_parts_become_one_release(code_directory: Path, publisher_files: Path) -> None:
    done = import_release("ncci-ptp", [publisher_files / PTP_1, publisher_files / PTP_2], code_directory)
    assert done[:4] == ("ncci-ptp", "2026Q3", date(2026, 7, 1), 7)
    pairs = load(code_directory).on(date(2026, 7, 1)).pairs
    assert pairs.indicator("0001U", "0030U", date(2026, 7, 1)) == 1
    assert pairs.indicator("10004", "10005", date(2026, 7, 1)) == 1
    assert pairs.indicator("17311", "88305", date(2026, 7, 1)) is None


@pytest.mark.parametrize(
    ("column_1", "column_2", "day", "indicator"),
    [
        ("0001A", "36591", date(2021, 12, 31), None),
        ("0001A", "36591", date(2022, 1, 1), 0),
        ("0001A", "36591", date(2023, 12, 31), 0),
        ("0001A", "36591", date(2024, 1, 1), None),
        ("0001A", "90473", date(2022, 1, 1), None),  # indicator 9, effective and deleted on one day
        ("0001U", "0029U", date(2026, 6, 30), 1),
        ("0001U", "0029U", date(2026, 7, 1), None),
        ("0001U", "0438U", date(2024, 12, 31), None),
        ("0001U", "0438U", date(2025, 1, 1), 1),
    ],
)
def test_published_pairs_apply_between_their_dates(
    tmp_path: Path, publisher_files: Path, column_1: str, column_2: str, day: date, indicator: int | None
) -> None:
    directory = tmp_path / "codes"
    import_release(
        "ncci-ptp", [publisher_files / PTP_1], directory, effective=date(2000, 1, 1), release="v32.2"
    )
    (directory / "ncci-ptp" / "2024-07-01_2024Q3.txt").unlink()
    assert load(directory, draft=True).on(day).pairs.indicator(column_1, column_2, day) == indicator


def test_units_limits_take_their_date_from_the_name(code_directory: Path, publisher_files: Path) -> None:
    done = import_release("ncci-mue", [publisher_files / MUE], code_directory)
    assert done[:4] == ("ncci-mue", "2026Q3", date(2026, 7, 1), 3)
    assert load(code_directory).on(date(2026, 7, 1)).mue == {
        "0001U": (1, 2),
        "0009U": (2, 3),
        "0022U": (2, 3),
    }


@pytest.mark.parametrize(
    ("day", "primaries"),
    [(date(2026, 6, 30), {"17312": {"17311"}}), (date(2026, 7, 1), {"17312": {"17311"}, "17315": {"17311"}})],
)
def test_add_on_edits_hold_between_their_ordinal_dates(
    code_directory: Path, publisher_files: Path, day: date, primaries: dict[str, set[str]]
) -> None:
    done = import_release("ncci-aoc", [publisher_files / AOC], code_directory)
    assert done[:4] == ("ncci-aoc", "2026Q2", date(2026, 4, 1), 5)
    add_ons = load(code_directory).on(day).add_ons
    assert {code: set(add_on.primaries) for code, add_on in add_ons.items() if add_on.deniable} == primaries
    assert add_ons["0054T"] == (frozenset(), False)
    assert "88332" not in add_ons  # its code was deleted on 2020-09-21


def test_an_order_file_gives_published_forms_and_its_fiscal_year(
    code_directory: Path, publisher_files: Path
) -> None:
    done = import_release("icd10cm", [publisher_files / ICD], code_directory, replace=True)
    assert done[:4] == ("icd10cm", "FY2026", date(2025, 10, 1), 7)
    assert load(code_directory).on(date(2025, 10, 1)).icd10cm == {
        "A00": False, "A00.0": True, "A00.1": True, "A04.7": False, "A04.71": True, "M53": False,
        "M54.2": True,
    }  # fmt: skip


def test_the_april_update_of_the_same_name_is_told_by_its_date(
    code_directory: Path, publisher_files: Path
) -> None:
    done = import_release("icd10cm", [publisher_files / ICD], code_directory, effective=date(2026, 4, 1))
    assert done.release == "FY2026-2026-04-01"
    assert load(code_directory).on(date(2026, 3, 31)).releases["icd10cm"] == "FY2026"
    assert load(code_directory).on(date(2026, 4, 1)).releases["icd10cm"] == "FY2026-2026-04-01"


@pytest.mark.parametrize(("kind", "file"), FILES)
def test_an_imported_release_checks(
    code_directory: Path, publisher_files: Path, kind: str, file: str
) -> None:
    done = import_release(
        kind, [publisher_files / file], code_directory, effective=date(2027, 1, 1), release="next"
    )
    faults = [remark for remark in check(code_directory) if remark.fault]
    assert {remark.file for remark in faults} <= {done.file}
    assert all("is it an excerpt?" in remark.text for remark in faults)


FAULTY = [
    ("ncci-ptp", PTP_1, "0001T\t0002T\t\t", "0001T\t0002T\t", 9, "6 tab-delimited fields, not 7"),
    ("ncci-ptp", PTP_1, "0001T\t0002T", "0001T\t002T", 9, "column 2 '002T' is no procedure code"),
    ("ncci-ptp", PTP_1, "0001T\t0002T", "\t0002T", 9, "column 1 '' is no procedure code"),
    ("ncci-ptp", PTP_1, "0001A\t36591", "\t36591", 7, "column 1 '' is no procedure code"),
    ("ncci-ptp", PTP_1, "0001A\t36591", "0001a\t36591", 7, "column 1 '0001a' is no procedure code"),
    ("ncci-ptp", PTP_1, "20040331\t1", "20040331\t2", 9, "modifier indicator '2' is not 0, 1 or 9"),
    ("ncci-ptp", PTP_1, "20040331", "20040231", 9, "'20040231' is no date (YYYYMMDD)"),
    ("ncci-ptp", PTP_1, "20040331", "00000000", 9, "'00000000' is no date (YYYYMMDD)"),
    ("ncci-ptp", PTP_1, "20180701\t*", "20180701\t", 11, "'' is no date (YYYYMMDD)"),
    ("ncci-ptp", PTP_1, "\t\t20030101", "\t+\t20030101", 9, "the mark of edits before 1996 is '+'"),
    ("ncci-ptp", PTP_1, "Column 1\t", "Kolumn 1\t", None, "no edit in it"),
    ("ncci-mue", MUE, "0009U,2,", "0009U,two,", 9, "the units 'two' are not a whole number"),
    ("ncci-mue", MUE, "0009U,2,3 Date", "0009U,2,4 Date", 9, "adjudication indicator '4 Date"),
    ("ncci-mue", MUE, "0009U,2,3 Date of Service", "0009U,2,3 Line", 9, "adjudication indicator '3 Line"),
    ("ncci-mue", MUE, "0009U,2", "0009,2", 9, "'0009' is no procedure code"),
    ("ncci-mue", MUE, "0009U,2", "0001U,2", 9, "0001U stands here twice"),
    ("ncci-mue", MUE, "0009U,2,", "0009U,2,,", 9, "5 fields, not 4"),
    ("ncci-mue", MUE, "Nature of Analyte", '"Nature" of Analyte', 9, "',' expected after '\"'"),
    ("ncci-mue", MUE, "Practitioner Services MUE", "Facility MUE", 7, "not the practitioner services file"),
    ("ncci-mue", MUE, "CPT Code", "Code", None, "no edit in it"),
    ("ncci-aoc", AOC, "117315", "417315", 4, "edit type '4' is not 1, 2 or 3"),
    ("ncci-aoc", AOC, "117315 ", "11731  ", 4, "add-on code '1731 ' is no procedure code"),
    ("ncci-aoc", AOC, "CCCCC", "cCCCC", 1, "primary code 'cCCCC' is no procedure code"),
    ("ncci-aoc", AOC, "2026182", "2026366", 4, "'2026366' is no date (YYYYDDD)"),
    ("ncci-aoc", AOC, "2026182", "2026000", 4, "'2026000' is no date (YYYYDDD)"),
    ("ncci-aoc", AOC, "2026182", "0000000", 4, "'0000000' is no date (YYYYDDD)"),
    ("ncci-aoc", AOC, "2026182", "9999999", 4, "'9999999' is no date (YYYYDDD)"),
    ("ncci-aoc", AOC, "2026182", "20261  ", 4, "is no date (YYYYDDD)"),
    ("icd10cm", ICD, "A001    1", "A001   1 ", 3, "not: order number (5), code (7)"),
    ("icd10cm", ICD, "A001    1", "A001    2", 3, "not: order number (5), code (7)"),
    ("icd10cm", ICD, "A001 ", "a001 ", 3, "not: order number (5), code (7)"),
    ("icd10cm", ICD, "A001 ", "A000 ", 3, "A00.0 stands here twice"),
    ("icd10cm", ICD, "00047 ", "47 ", 5, "not: order number (5), code (7)"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "file", "good", "bad", "line", "reason"), FAULTY)
def test_a_malformed_file_is_rejected_with_its_line_and_changes_nothing(  # noqa: PLR0917  a table row
    code_directory: Path,
    publisher_files: Path,
    tmp_path: Path,
    kind: str,
    file: str,
    good: str,
    bad: str,
    line: int | None,
    reason: str,
) -> None:
    text = (publisher_files / file).read_bytes().decode("latin-1")
    assert good in text
    faulty = tmp_path / file
    faulty.write_bytes(text.replace(good, bad, 1).encode("latin-1"))
    before = contents(code_directory)
    with pytest.raises(CodeSetError, match=re.escape(reason)) as refused:
        import_release(kind, [faulty], code_directory, replace=True)
    assert (refused.value.file, refused.value.line) == (faulty, line)
    assert contents(code_directory) == before


@pytest.mark.parametrize(("kind", "file"), FILES)
def test_a_file_without_a_data_row_is_rejected(
    code_directory: Path, tmp_path: Path, kind: str, file: str
) -> None:
    empty = tmp_path / file
    empty.write_text("")
    before = contents(code_directory)
    with pytest.raises(CodeSetError, match=r"no (edit|code) in it"):
        import_release(kind, [empty], code_directory)
    assert contents(code_directory) == before


@pytest.mark.parametrize(("kind", "file"), FILES)
def test_a_file_that_is_not_there_is_named(
    code_directory: Path, tmp_path: Path, kind: str, file: str
) -> None:
    with pytest.raises(CodeSetError, match="cannot be read: No such file"):
        import_release(kind, [tmp_path / file], code_directory)


@pytest.mark.parametrize(("kind", "file"), FILES)
def test_a_header_that_never_ends_is_not_read_to_the_end(
    code_directory: Path, tmp_path: Path, kind: str, file: str
) -> None:
    endless = tmp_path / file
    endless.write_text("A line of something else\n" * 1000)
    with pytest.raises(CodeSetError) as refused:
        import_release(kind, [endless], code_directory)
    assert refused.value.line is not None
    assert refused.value.line <= 21


def test_parts_of_different_versions_are_no_release(
    code_directory: Path, publisher_files: Path, tmp_path: Path
) -> None:
    other = tmp_path / "ccipra-v323r0-f2.txt"
    other.write_bytes((publisher_files / PTP_2).read_bytes())
    with pytest.raises(CodeSetError, match="different versions"):
        import_release("ncci-ptp", [publisher_files / PTP_1, other], code_directory)


def test_a_part_that_is_missing_is_named(code_directory: Path, publisher_files: Path) -> None:
    with pytest.raises(CodeSetError, match="part f1 is missing"):
        import_release("ncci-ptp", [publisher_files / PTP_2], code_directory)


def test_the_same_part_twice_is_rejected(code_directory: Path, publisher_files: Path, tmp_path: Path) -> None:
    again = tmp_path / "ccipra-v322r0-f2.txt"
    again.write_bytes((publisher_files / PTP_1).read_bytes())
    with pytest.raises(CodeSetError, match=r"column 1 code 0001A stands in .* too"):
        import_release("ncci-ptp", [publisher_files / PTP_1, again], code_directory)


@pytest.mark.parametrize(("kind", "file"), FILES)
def test_a_release_that_is_there_is_written_anew_only_when_asked(
    code_directory: Path, publisher_files: Path, kind: str, file: str
) -> None:
    files = [publisher_files / file]
    first = import_release(kind, files, code_directory, effective=date(2027, 1, 1), release="next")
    before = contents(code_directory)
    with pytest.raises(ImportRefusedError, match="is there already: give --replace"):
        import_release(kind, files, code_directory, effective=date(2027, 1, 1), release="next")
    assert contents(code_directory) == before
    again = import_release(
        kind, files, code_directory, effective=date(2027, 1, 1), release="next", replace=True
    )
    assert again == first._replace(replaced=True)
    assert contents(code_directory) == before


@pytest.mark.parametrize(
    ("effective", "release"), [(date(2024, 7, 1), "other"), (date(2026, 7, 1), "2024Q3")]
)
def test_another_release_of_the_same_date_or_name_is_refused_even_with_replace(
    code_directory: Path, publisher_files: Path, effective: date, release: str
) -> None:
    before = contents(code_directory)
    with pytest.raises(ImportRefusedError, match="of the same date or name"):
        import_release(
            "ncci-mue",
            [publisher_files / MUE],
            code_directory,
            effective=effective,
            release=release,
            replace=True,
        )
    assert contents(code_directory) == before


@pytest.mark.parametrize(("kind", "file"), FILES)
def test_a_file_of_another_name_needs_date_and_release(
    code_directory: Path, publisher_files: Path, tmp_path: Path, kind: str, file: str
) -> None:
    renamed = tmp_path / f"download{Path(file).suffix}"
    renamed.write_bytes((publisher_files / file).read_bytes())
    with pytest.raises(ImportRefusedError, match="give --effective"):
        import_release(kind, [renamed], code_directory)
    with pytest.raises(ImportRefusedError, match="give --release"):
        import_release(kind, [renamed], code_directory, effective=date(2027, 1, 1))
    done = import_release(kind, [renamed], code_directory, effective=date(2027, 1, 1), release="next")
    assert done.file.name.startswith("2027-01-01_next.")


def test_a_new_directory_starts_as_a_copy_of_the_packages_data(tmp_path: Path, publisher_files: Path) -> None:
    directory = tmp_path / "new" / "codes"
    import_release("ncci-mue", [publisher_files / MUE], directory)
    codes = load(directory)
    assert codes.on(date(2024, 7, 1)).mue["17311"] == (4, 3)
    assert codes.on(date(2026, 7, 1)).releases["ncci-mue"] == "2026Q3"


@pytest.mark.parametrize("where", [".", "link", "empty", "new/codes"])
def test_an_empty_directory_is_filled_where_it_lies(
    tmp_path: Path, publisher_files: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    (tmp_path / "here" / "empty").mkdir(parents=True)
    (tmp_path / "here" / "link").symlink_to("empty")
    monkeypatch.chdir(tmp_path / "here" / ("empty" if where == "." else "."))
    done = import_release("ncci-mue", [publisher_files / MUE], Path(where))
    assert done.file.is_file()
    assert {folder.name for folder in Path(where).iterdir()} == {one.name for one in PACKAGE_DATA.iterdir()}
    assert load(Path(where)).on(date(2026, 7, 1)).releases["ncci-mue"] == "2026Q3"


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda codes: shutil.rmtree(codes / "ncci-ptp"), "ncci-ptp: this code set is missing"),
        (lambda codes: shutil.rmtree(codes / "mpfs"), "mpfs: this code set is missing"),
        (lambda codes: (codes / "icd10cm" / "stray.txt").touch(), "stray.txt: not a release"),
        (lambda codes: cut_off(codes / "ncci-ptp" / "2024-07-01_2024Q3.txt"), "2024-07-01_2024Q3.txt:1: "),
    ],
)
def test_nothing_is_imported_into_a_directory_that_does_not_check(
    code_directory: Path, publisher_files: Path, spoil: Callable[[Path], object], reason: str
) -> None:
    spoil(code_directory)
    before = contents(code_directory)
    with pytest.raises(CodeSetError, match=re.escape(reason)) as refused:
        import_release("ncci-mue", [publisher_files / MUE], code_directory)
    assert "nothing is imported into a code directory that does not check" in str(refused.value)
    assert contents(code_directory) == before


def cut_off(file: Path) -> None:
    """A malformed file that the manifest lists all the same."""
    file.write_text("17311")
    directory = file.parent.parent
    (directory / MANIFEST).write_bytes(manifest_of(contents_of(directory)))


def test_nothing_is_imported_into_a_directory_that_is_not_as_listed(
    code_directory: Path, publisher_files: Path
) -> None:
    """Else the manifest that an import writes would vouch for what somebody else has changed."""
    with (code_directory / "mpfs" / "2024-07-01_RVU24C.csv").open("a") as changed:
        changed.write("\n")
    before = contents(code_directory)
    with pytest.raises(CodeManifestError, match=r"RVU24C\.csv: it is not what SHA256SUMS says"):
        import_release("ncci-mue", [publisher_files / MUE], code_directory)
    assert contents(code_directory) == before


def test_a_directory_of_something_else_is_not_made_a_code_directory(
    tmp_path: Path, publisher_files: Path
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(CodeSetError, match="this code set is missing"):
        import_release("ncci-mue", [publisher_files / MUE], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_malformed_file_makes_no_new_directory(tmp_path: Path) -> None:
    (tmp_path / ICD).write_text("nothing of the kind\n")
    with pytest.raises(CodeSetError):
        import_release("icd10cm", [tmp_path / ICD], tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_directory_that_cannot_be_one_is_told(tmp_path: Path, publisher_files: Path) -> None:
    (tmp_path / "codes").write_text("a file")
    with pytest.raises(CodeSetError, match="cannot be written: Not a directory"):
        import_release("ncci-mue", [publisher_files / MUE], tmp_path / "codes")


def test_an_import_leaves_no_unfinished_file(code_directory: Path, publisher_files: Path) -> None:
    before = set(contents(code_directory))
    done = import_release("ncci-mue", [publisher_files / MUE], code_directory)
    assert set(contents(code_directory)) == before | {done.file}
    assert done.file.stat().st_mode & 0o777 == 0o644


def test_an_addenda_file_is_no_release(code_directory: Path, tmp_path: Path) -> None:
    addenda = tmp_path / "icd10cm_order_addenda_2026.txt"
    addenda.write_text("Add: 00001 A00     0 Cholera\n")
    with pytest.raises(CodeSetError, match="lists changes only"):
        import_release("icd10cm", [addenda], code_directory)
