"""What the catalog gives of the package's own data, and the boundaries of releases and dates."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from worker.adjudication.codesets import CodeSets
from worker.codes.catalog import load
from worker.codes.errors import CodeSetError
from worker.codes.tables.diagnoses import SITES

DAY = date(2026, 4, 28)


@pytest.fixture(scope="module")
def codes() -> CodeSets:
    return load()


def test_every_release_in_force_is_named(codes: CodeSets) -> None:
    assert codes.on(DAY).releases == {
        "icd10cm": "FY2026",
        "mms-diagnoses": "1",
        "mms-implied-facts": "1",
        "ncci-ptp": "2024Q3",
        "ncci-mue": "2024Q3",
        "ncci-aoc": "2024Q2",
        "ncci-modifiers": "2024-06",
    }


def test_each_of_the_235_policy_diagnoses_has_sites_and_is_a_code(codes: CodeSets) -> None:
    tables = codes.on(DAY)
    assert len(tables.policy_diagnoses) == 235
    for code, sites in tables.policy_diagnoses.items():
        assert sites, code
        assert sites <= SITES, code
        assert code in tables.icd10cm, code


FACE = {
    "forehead", "temple", "eyebrow", "eyelid", "nose", "cheek", "lip", "perioral", "chin", "jawline", "face",
}  # fmt: skip


@pytest.mark.parametrize(
    ("code", "sites"),
    [
        ("C44.1121", {"eyelid"}),
        ("C44.212", {"ear"}),
        ("C44.311", {"nose"}),
        ("C00.1", {"lip", "perioral"}),
        ("C44.01", {"lip", "perioral"}),
        ("C44.319", FACE),
        ("C44.41", {"scalp", "neck"}),
        ("C44.519", {"trunk", "breast"}),
        ("C44.511", {"trunk", "breast"}),
        ("C44.510", {"perianal"}),
        ("C51.0", {"genitalia"}),
        ("C63.2", {"genitalia"}),
        ("C44.612", {"arm", "hand", "nail-unit"}),
        ("C76.41", {"arm", "hand", "nail-unit"}),
        ("C44.712", {"leg", "pretibial", "ankle", "foot", "nail-unit"}),
        ("C76.0", FACE | {"scalp", "ear", "neck"}),
        ("C44.91", set(SITES)),
        ("D48.5", set(SITES)),
    ],
)
def test_a_site_group_leaves_exactly_these_sites_possible(
    codes: CodeSets, code: str, sites: set[str]
) -> None:
    assert codes.on(DAY).policy_diagnoses[code] == sites


@pytest.mark.parametrize("code", ["C4A.11", "C4A.12"])
@pytest.mark.parametrize("day", [date(2024, 10, 1), DAY])
def test_the_policys_two_headers_are_headers_in_every_release(codes: CodeSets, code: str, day: date) -> None:
    assert codes.on(day).icd10cm[code] is False


@pytest.mark.parametrize(
    ("code", "before", "on"),
    [
        ("L98.431", None, True),  # new in fiscal year 2026
        ("QA0.0101", None, True),  # its second character is a letter
        ("D71", True, False),  # subdivided in fiscal year 2026
        ("S30.1XXA", True, None),  # deleted
        ("C44.311", True, True),
    ],
)
def test_a_diagnosis_changes_on_the_first_day_of_a_release(
    codes: CodeSets, code: str, before: bool | None, on: bool | None
) -> None:
    assert codes.on(date(2025, 9, 30)).icd10cm.get(code) is before
    assert codes.on(date(2025, 10, 1)).icd10cm.get(code) is on


def test_icd10cm_is_whole(codes: CodeSets) -> None:
    counts = [(len(table), sum(table.values())) for _, _, table in codes.sets[0].releases]  # type: ignore[arg-type, call-overload]
    assert counts == [(97_584, 74_260), (98_186, 74_719)]


def test_before_the_first_release_the_first_counts(codes: CodeSets) -> None:
    assert codes.on(date(2019, 1, 1)).releases["icd10cm"] == "FY2025"
    assert codes.on(date(2019, 1, 1)).mue == codes.on(DAY).mue


def test_only_two_categories_of_supporting_diagnoses_imply_a_fact(codes: CodeSets) -> None:
    implied = codes.on(DAY).implied_facts
    assert set(implied.values()) == {"immunosuppressed", "irradiated"}
    assert implied["Z94.0"] == "immunosuppressed"
    assert implied["Z92.3"] == "irradiated"
    assert not {"Z85.828", "Q82.1", "C77.0"} & implied.keys()


@pytest.mark.parametrize(
    ("column_1", "column_2", "day", "indicator"),
    [
        ("17311", "88305", DAY, 1),
        ("88305", "17311", DAY, None),
        ("17311", "11102", DAY, 1),
        ("17311", "0213T", DAY, 0),
        ("17311", "0228T", date(2020, 12, 31), 0),  # the day of its deletion
        ("17311", "0228T", date(2021, 1, 1), None),  # the day after
        ("99999", "88305", DAY, None),
    ],
)
def test_an_edit_applies_up_to_and_on_its_deletion_date(
    codes: CodeSets, column_1: str, column_2: str, day: date, indicator: int | None
) -> None:
    assert codes.on(day).pairs.indicator(column_1, column_2, day) == indicator


@pytest.mark.parametrize(
    ("procedure", "units", "mai"),
    [("17311", 4, 3), ("17312", 6, 3), ("17313", 3, 3), ("17314", 4, 3), ("17315", 15, 3), ("11102", 1, 2)],
)
def test_units_limits(codes: CodeSets, procedure: str, units: int, mai: int) -> None:
    assert codes.on(DAY).mue[procedure] == (units, mai)


@pytest.mark.parametrize(
    ("add_on", "primaries", "deniable"),
    [
        ("17312", {"17311"}, True),
        ("17314", {"17313"}, True),
        ("17315", {"17311", "17312", "17313", "17314"}, True),
        ("88332", {"88331"}, True),
        ("88311", {"17311", "17313", "88302", "88304", "88305", "88307", "88309"}, False),
    ],
)
def test_an_add_on_has_these_primaries_and_is_deniable_only_by_type_1(
    codes: CodeSets, add_on: str, primaries: set[str], deniable: bool
) -> None:
    assert codes.on(DAY).add_ons[add_on] == (primaries, deniable)


def test_the_bypass_modifiers_hold_the_em_only_ones(codes: CodeSets) -> None:
    bypassing = codes.on(DAY).bypass_modifiers
    assert len(bypassing) == 44
    assert {"24", "25", "57", "58", "59", "XS", "LT"} <= bypassing
    assert not {"26", "TC", "51"} & bypassing


def test_the_digest_is_of_names_and_contents_and_not_of_the_place(code_directory: Path) -> None:
    assert load(code_directory, draft=True).digest == load().digest
    edits = code_directory / "ncci-mue" / "2024-07-01_2024Q3.csv"
    edits.write_text(edits.read_text().replace("17311,4,3", "17311,5,3"))
    assert load(code_directory, draft=True).digest != load().digest


def test_the_digest_tells_when_only_a_date_of_effect_changes(code_directory: Path) -> None:
    edits = code_directory / "ncci-mue" / "2024-07-01_2024Q3.csv"
    edits.rename(edits.with_name("2024-08-01_2024Q3.csv"))
    assert load(code_directory, draft=True).digest != load().digest


def test_a_day_is_in_the_newest_release_not_after_it(code_directory: Path) -> None:
    edits = code_directory / "ncci-mue"
    (edits / "2026-07-01_2026Q3.csv").write_text("procedure,units,mai\n17311,2,2\n")
    codes = load(code_directory, draft=True)
    assert codes.on(date(2026, 6, 30)).mue["17311"] == (4, 3)
    assert codes.on(date(2026, 7, 1)).mue == {"17311": (2, 2)}
    assert codes.on(date(2026, 7, 1)).releases["ncci-mue"] == "2026Q3"


def test_loading_what_decides_imports_neither_the_shell_nor_what_only_authors_need() -> None:
    program = (
        "import json, sys; from worker.codes.catalog import load; load(); print(json.dumps([*sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert not {"rich", "cyclopts", "faust", "aiokafka", "worker.codes.vocabulary"} & set(
        json.loads(done.stdout)
    )


FAULTY = [
    ("icd10cm/2024-10-01_FY2025.txt", "C44.311 B\n", "C44311 B\n", "not a code in published form"),
    ("icd10cm/2024-10-01_FY2025.txt", "C44.311 B\n", "C44.311 X\n", "not a code in published form"),
    ("icd10cm/2024-10-01_FY2025.txt", "C44.311 B\n", "C44.310 B\n", "C44.310 does not come after C44.310"),
    ("ncci-ptp/2024-07-01_2024Q3.txt", "17311 0 - 2020-12-31 ", "17311 2 - 2020-12-31 ", "not: column 1"),
    ("ncci-ptp/2024-07-01_2024Q3.txt", "17311 0 - 2020-12-31 ", "17311 0 - 2020-13-31 ", "is no date"),
    ("ncci-mue/2024-07-01_2024Q3.csv", "17311,4,3\n", "17311,4,4\n", "mai '4' is not one of 1, 2, 3"),
    ("ncci-mue/2024-07-01_2024Q3.csv", "17311,4,3\n", "17311,-4,3\n", "units '-4' is not a whole number"),
    ("ncci-mue/2024-07-01_2024Q3.csv", "17311,4,3\n", "1731,4,3\n", "procedure '1731' is malformed"),
    ("ncci-mue/2024-07-01_2024Q3.csv", "17312,6,3\n", "17311,6,3\n", "17311 stands here twice"),
    ("ncci-mue/2024-07-01_2024Q3.csv", "17311,4,3\n", "17311,4\n", "2 fields, not 3"),
    ("ncci-aoc/2024-04-01_2024Q2.csv", "17312,17311,1,,\n", "17312,17311,4,,\n", "type '4'"),
    ("ncci-aoc/2024-04-01_2024Q2.csv", "17312,17311,1,,\n", "17312,17311,1,x,\n", "effective 'x' is no date"),
    ("ncci-modifiers/2024-06-01_2024-06.csv", "XS,other\n", "XS,elsewhere\n", "class 'elsewhere'"),
    ("mms-diagnoses/2019-01-01_1.csv", "C44.311,nose,\n", "C44.311,beak,\n", "site group 'beak'"),
    ("mms-diagnoses/2019-01-01_1.csv", "C44.311,nose,\n", "C44.301,nose,\n", "stands here twice"),
    ("mms-site-groups/2019-01-01_1.csv", "nose,nose\n", "nose,beak\n", "unknown sites: beak"),
    ("mms-implied-facts/2019-01-01_1.csv", "Z92.3,irradiated\n", "Z92.3,radiated\n", "category 'radiated'"),
    ("mms-implied-facts/2019-01-01_1.csv", "Z92.3,irradiated\n", "Z92.3,irradi\u00e9\n", "not ASCII"),
]


@pytest.mark.parametrize(("file", "good", "bad", "reason"), FAULTY)
def test_a_faulty_file_is_refused_with_file_line_and_reason(
    code_directory: Path, file: str, good: str, bad: str, reason: str
) -> None:
    path = code_directory / file
    text = path.read_text()
    assert good in text
    faulty = text.replace(good, bad)
    path.write_text(faulty)
    line = faulty.count("\n", 0, faulty.rindex(bad)) + 1
    with pytest.raises(CodeSetError, match=reason) as refused:
        load(code_directory, draft=True)
    assert (refused.value.file, refused.value.line) == (path, line)
    assert str(refused.value).startswith(f"{path}:{line}: ")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("2026Q3.csv", "not a release"),
        ("2026-13-01_2026Q3.csv", "no date"),
        ("2026-07-01_2026Q3.txt", "not a release"),
        ("2024-07-01_again.csv", "two releases are effective 2024-07-01"),
        ("2026-07-01_2024Q3.csv", "two releases are named 2024Q3"),
    ],
)
def test_a_file_that_is_no_release_or_an_ambiguous_one_is_refused(
    code_directory: Path, name: str, reason: str
) -> None:
    (code_directory / "ncci-mue" / name).write_text("procedure,units,mai\n17311,2,2\n")
    with pytest.raises(CodeSetError, match=reason):
        load(code_directory, draft=True)


@pytest.mark.parametrize(
    ("file", "left", "reason"),
    [
        ("ncci-mue/2024-07-01_2024Q3.csv", "", "the first line is not procedure,units,mai"),
        ("ncci-mue/2024-07-01_2024Q3.csv", "procedure,units,mai\n", "no row follows"),
        ("ncci-mue/2024-07-01_2024Q3.csv", "procedure,units,mai\n17315,15,3", "the last line is cut off"),
        ("ncci-mue/2024-07-01_2024Q3.csv", 'procedure,units,mai\n"17315,15,3\n', "unexpected end of data"),
        ("icd10cm/2024-10-01_FY2025.txt", "", "no code in it"),
        ("icd10cm/2024-10-01_FY2025.txt", "A00 H\nA00.0", "not a code in published form"),
        ("ncci-ptp/2024-07-01_2024Q3.txt", "", "no edit in it"),
        ("ncci-ptp/2024-07-01_2024Q3.txt", "17311 1 - - 88305 8", "not: column 1"),
    ],
)
def test_what_is_left_of_a_file_is_refused(code_directory: Path, file: str, left: str, reason: str) -> None:
    (code_directory / file).write_text(left)
    with pytest.raises(CodeSetError, match=reason):
        load(code_directory, draft=True)


def test_a_missing_or_empty_set_is_refused(code_directory: Path) -> None:
    (code_directory / "ncci-mue" / "2024-07-01_2024Q3.csv").unlink()
    with pytest.raises(CodeSetError, match="has no release"):
        load(code_directory, draft=True)
    (code_directory / "ncci-mue").rmdir()
    with pytest.raises(CodeSetError, match="is missing"):
        load(code_directory, draft=True)


def test_site_groups_must_come_with_the_list(code_directory: Path) -> None:
    diagnoses = code_directory / "mms-diagnoses"
    (diagnoses / "2027-01-01_2.csv").write_text((diagnoses / "2019-01-01_1.csv").read_text())
    with pytest.raises(CodeSetError, match="mms-site-groups has no release of this date and name"):
        load(code_directory, draft=True)
