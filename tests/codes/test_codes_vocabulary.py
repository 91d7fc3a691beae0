"""The code numbers that a policy may name, and what the tables say of one code."""

from __future__ import annotations

from datetime import date

import pytest

from worker.codes.lookup import look_up
from worker.codes.vocabulary import Vocabulary, load_vocabulary


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return load_vocabulary()


def test_the_reason_codes_are_all_there(vocabulary: Vocabulary) -> None:
    assert set(vocabulary.group_codes) == {"CO", "CR", "OA", "PI", "PR"}
    assert (len(vocabulary.carcs), len(vocabulary.rarcs)) == (405, 1171)


@pytest.mark.parametrize(
    "carc", ["4", "11", "18", "50", "97", "107", "133", "146", "151", "226", "236", "B15"]
)
def test_every_carc_of_the_policies_may_be_used(vocabulary: Vocabulary, carc: str) -> None:
    assert vocabulary.carcs[carc].covers(date(2026, 4, 28))


@pytest.mark.parametrize(
    "rarc", ["M15", "M76", "M81", "M127", "N20", "N122", "N130", "N362", "N674", "N822", "N823"]
)
def test_every_rarc_of_the_policies_may_be_used(vocabulary: Vocabulary, rarc: str) -> None:
    assert vocabulary.rarcs[rarc].covers(date(2026, 4, 28))


@pytest.mark.parametrize(
    ("day", "covered"),
    [
        (date(1994, 12, 31), False),
        (date(1995, 1, 1), True),
        (date(2018, 5, 1), True),
        (date(2018, 5, 2), False),
    ],
)
def test_a_reason_code_may_be_used_up_to_and_on_its_last_day(
    vocabulary: Vocabulary, day: date, covered: bool
) -> None:
    assert vocabulary.carcs["15"].covers(day) is covered


@pytest.mark.parametrize(
    "procedure", ["17311", "17315", "11102", "88305", "88332", "99213", "14060", "0213T"]
)
def test_a_procedure_of_any_table_is_known(vocabulary: Vocabulary, procedure: str) -> None:
    assert procedure in vocabulary.procedures


def test_what_no_table_has_is_unknown(vocabulary: Vocabulary) -> None:
    assert not {"17316", "CCCCC", "99999"} & vocabulary.procedures
    assert {"59", "XS", "LT"} < vocabulary.modifiers
    assert "00" not in vocabulary.modifiers


@pytest.mark.parametrize(
    ("code", "day", "says"),
    [
        (
            "C4A.11",
            date(2026, 1, 1),
            {"a header: not billable", "on the policy's list: eyelid, right (eyelid)"},
        ),
        ("C44.131", date(2026, 1, 1), {"billable", "a skin malignancy that the policy's list lacks"}),
        ("L98.431", date(2025, 9, 30), set()),
        ("L98.431", date(2025, 10, 1), {"billable"}),
        ("Z92.3", date(2026, 1, 1), {"billable", "supporting secondary diagnosis: irradiated"}),
        ("XS", date(2026, 1, 1), {"modifier that bypasses an edit with indicator 1", "HCPCS modifier"}),
        (
            "17315",
            date(2026, 1, 1),
            {
                "at most 15 units, adjudication indicator 3",
                "add-on (type 1) to 17311 17312 17313 17314",
                "primary of 88314",
                "status A, global days ZZZ, PC/TC 0",
            },
        ),
        ("N822", date(2019, 6, 30), {"rarc, not valid on 2019-06-30"}),
        ("N822", date(2019, 7, 1), {"rarc, valid on 2019-07-01"}),
        ("17316", date(2026, 1, 1), set()),
        ("00", date(2026, 1, 1), set()),
    ],
)
def test_a_lookup_tells_what_every_table_says_on_the_day(code: str, day: date, says: set[str]) -> None:
    told = {statement.says for statement in look_up(code, day) if "edits" not in statement.says}
    assert told == says


def test_a_lookup_counts_the_edits_of_a_procedure() -> None:
    (edits,) = [one for one in look_up("88305", date(2026, 1, 1)) if one.code_set == "ncci-ptp"]
    assert edits.release == "2024Q3"
    assert edits.says.startswith("in column 1 of ")
