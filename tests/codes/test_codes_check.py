"""The check of a whole code directory: notes on what is known, faults in what the files say of each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.codes.check import check


def test_the_packages_data_has_no_fault_and_its_known_gaps_are_told() -> None:
    remarks = check()
    assert [str(remark) for remark in remarks if remark.fault] == []
    told = [remark.text for remark in remarks]
    assert [text for text in told if "is a header" in text] == [
        "known gap: C4A.11 is a header in FY2025, FY2026: claims with it are denied",
        "known gap: C4A.12 is a header in FY2025, FY2026: claims with it are denied",
    ]
    assert sum("is not on the policy's list" in text for text in told) == 9
    assert len(told) == 11


DIAGNOSES = "mms-diagnoses/2019-01-01_1.csv"
GAPS = "mms-diagnosis-gaps/2019-01-01_1.csv"
SUPPORTING = "mms-implied-facts/2019-01-01_1.csv"
PAIRS = "ncci-ptp/2024-07-01_2024Q3.txt"
ADD_ONS = "ncci-aoc/2024-04-01_2024Q2.csv"
BYPASS_MODIFIERS = "ncci-modifiers/2024-06-01_2024-06.csv"
MODIFIERS = "modifiers/2024-06-01_2024-06.csv"
PLACES = "places-of-service/2024-06-01_2024-06.csv"
FEE_SCHEDULE = "mpfs/2024-07-01_RVU24C.csv"
REASONS = "reason-codes/2022-11-01_2022-11.csv"
FAULTY = [
    (DIAGNOSES, "C44.311,nose,\n", "C44.3119,nose,\n", "C44.3119 is no ICD-10-CM code in FY2025, FY2026"),
    (DIAGNOSES, "C44.311,nose,\n", "C44.131,eyelid,\n", "C44.131 is on the policy's list: no gap"),
    (GAPS, "C44.131\n", "C44.1311\n", "C44.1311 is no ICD-10-CM code in FY2025, FY2026"),
    (GAPS, "C44.131\n", "C44.139\n", "C44.139 is billable in no release: no gap"),
    (SUPPORTING, "Z92.3,", "Z92.9,", "Z92.9 is no ICD-10-CM code in FY2025, FY2026"),
    (ADD_ONS, "17312,17311,1", "17312,17312,1", "17312 is its own primary"),
    (ADD_ONS, "17312,17311,1", "17312,CCCCC,1", "17312 is of type 1, which names every primary"),
    (PAIRS, "17311 1 - - ", "17311 1 - - 17311 ", "17311 is paired with itself"),
    (BYPASS_MODIFIERS, "XS,other", "9X,other", "9X is no CPT or HCPCS modifier"),
    (REASONS, "carc,50,", "karc,50,", "kind 'karc' is not one of carc, group, rarc"),
    (PLACES, "11,non-facility", "1,non-facility", "place '1' is malformed"),
    (FEE_SCHEDULE, "17311,,A,0,000,2,0,1,0,0,6.2,", "17311,,A,0,000,2,0,1,0,0,six,", "rvu_work 'six'"),
    (MODIFIERS, "59,CPT,", "59,ABC,", "level 'ABC' is not one of CPT, HCPCS"),
]


@pytest.mark.parametrize(("file", "good", "bad", "reason"), FAULTY)
def test_a_fault_between_files_is_told_with_its_file(
    code_directory: Path, file: str, good: str, bad: str, reason: str
) -> None:
    path = code_directory / file
    text = path.read_text()
    assert good in text
    path.write_text(text.replace(good, bad, 1))
    faults = [remark for remark in check(code_directory) if remark.fault]
    assert len(faults) == 1
    assert reason in str(faults[0])
    assert faults[0].file.parent.parent == code_directory


def test_a_file_that_cannot_be_read_is_the_only_remark(code_directory: Path) -> None:
    (code_directory / DIAGNOSES).write_text("code\n")
    (remark,) = check(code_directory)
    assert str(remark) == f"{code_directory / DIAGNOSES}:1: the first line is not code,site_group,laterality"
    assert remark.fault


def test_a_code_that_a_later_release_lacks_is_a_note(code_directory: Path) -> None:
    codes = code_directory / "icd10cm" / "2025-10-01_FY2026.txt"
    codes.write_text(codes.read_text().replace("C44.311 B\n", ""))
    remarks = [remark for remark in check(code_directory) if "C44.311 " in remark.text]
    assert [(remark.fault, remark.text) for remark in remarks] == [
        (False, "C44.311 is no ICD-10-CM code in FY2026")
    ]


def test_a_release_that_lost_most_of_its_rows_is_a_fault(code_directory: Path) -> None:
    (code_directory / "ncci-mue" / "2026-07-01_2026Q3.csv").write_text("procedure,units,mai\n17311,4,3\n")
    (fault,) = [remark for remark in check(code_directory) if remark.fault]
    assert fault.text == "1 rows, where 2024Q3 has 238: is it an excerpt?"
