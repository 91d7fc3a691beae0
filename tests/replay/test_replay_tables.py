"""The tables: typed, in the rows' order, the same bytes each time, and safe to open with a spreadsheet."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from msgspec.structs import asdict
from pyarrow import parquet

from worker.replay.output import tables
from worker.replay.output.tables import columns, write_tables
from worker.replay.running.aside import reading_rows, writing_rows
from worker.replay.telling.differences import PHI_COLUMNS, Difference

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LARGE = 2**40


def row(**given: Any) -> Difference:
    usual: dict[str, Any] = {
        "partition": 3,
        "offset": LARGE,
        "result_offset": None,
        "event_type": "mms.claim.submitted.v1",
        "claim_id": "CLM-1",
        "line": 1,
        "cause": "policy",
        "change": "decision",
        "adjustments_before": "",
        "adjustments_after": "CO-50:N130,N1 OA-133",
        "member_id": "MBR-77",
        "charge": "1250.00",
    }
    return Difference(**(usual | given))


def written(directory: Path, rows: Sequence[Difference], *, with_phi: bool = False) -> tuple[Path, Path]:
    text, table = directory / "d.csv", directory / "d.parquet"
    write_tables(rows, text, table, with_phi=with_phi)
    return text, table


def test_both_tables_hold_every_row_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "ROW_GROUP", 2)
    rows = [row(offset=offset, claim_id=f"CLM-{offset}") for offset in range(5)]
    text, table = written(tmp_path, rows)
    with text.open(newline="") as lines:
        assert [line["claim_id"] for line in csv.DictReader(lines)] == [one.claim_id for one in rows]
    read = parquet.ParquetFile(table)
    assert read.metadata.num_row_groups == 3
    assert read.metadata.row_group(0).column(0).compression == "ZSTD"
    names = columns(with_phi=False)
    assert read.read().to_pylist() == [{name: asdict(one)[name] for name in names} for one in rows]


def test_columns_of_the_parquet_file_have_types(tmp_path: Path) -> None:
    _, table = written(tmp_path, [row()])
    schema = parquet.read_schema(table)
    assert schema.field("partition").type == pa.int32()
    assert schema.field("offset").type == schema.field("units_before").type == pa.int64()
    assert schema.field("claim_id").type == pa.string()
    assert pa.types.is_dictionary(schema.field("cause").type)


def test_without_a_difference_both_tables_have_their_columns(tmp_path: Path) -> None:
    text, table = written(tmp_path, [])
    assert text.read_text() == ",".join(columns(with_phi=False)) + "\n"
    assert parquet.read_table(table).shape == (0, len(columns(with_phi=False)))


@pytest.mark.parametrize("with_phi", [False, True])
def test_what_tells_of_the_patient_is_there_only_if_asked_for(tmp_path: Path, with_phi: bool) -> None:
    text, table = written(tmp_path, [row()], with_phi=with_phi)
    assert (b"MBR-77" in text.read_bytes()) is with_phi
    assert (set(PHI_COLUMNS) <= set(parquet.read_schema(table).names)) is with_phi
    assert (b"MBR-77" in table.read_bytes()) is with_phi


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    rows = [row(offset=offset) for offset in range(100)]
    (tmp_path / "again").mkdir()
    first, again = written(tmp_path, rows), written(tmp_path / "again", rows)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]


CELLS = {
    "CLM-1": "CLM-1",
    "": '""',
    'say "it"': '"say ""it"""',
    "a,b": '"a,b"',
    "a\nb": '"a\nb"',
    "=1+1": "'=1+1",
    "+1": "'+1",
    "-1": "'-1",
    "@SUM(A1)": "'@SUM(A1)",
    "\t=1": "'\t=1",
    "\r=1": '"\'\r=1"',
    "\uff1d1": "'\uff1d1",
    "'quoted": "''quoted",
    "1=1": "1=1",
    "Ärztin": "Ärztin",
}


@pytest.mark.parametrize("given", CELLS)
def test_text_of_the_csv_file_is_never_a_formula_and_can_be_told_from_null(
    tmp_path: Path, given: str
) -> None:
    text, table = written(tmp_path, [row(partition=1, offset=2, claim_id=given, line=7)])
    line = text.read_bytes().decode().split("\r\n", 1)[1]
    assert line.startswith(f"1,2,,mms.claim.submitted.v1,{CELLS[given]},7,policy,decision,,")
    assert parquet.read_table(table)["claim_id"].to_pylist() == [given]


def test_numbers_that_somebody_has_put_into_a_result_have_room(tmp_path: Path) -> None:
    _, table = written(tmp_path, [row(line=LARGE, units_before=-LARGE)])
    assert parquet.read_table(table)["units_before"].to_pylist() == [-LARGE]


def test_rows_that_were_put_aside_are_gone_on_behind_what_a_checkpoint_knows(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    with writing_rows(path) as rows:
        rows.write([row(line=1), row(line=2)])
        known = rows.end()
        rows.write([row(line=66)])
    with writing_rows(path, known) as rows:
        rows.write([row(line=3)])
    assert [one.line for one in reading_rows(path)] == [1, 2, 3]
    assert next(reading_rows(path)) == row(line=1)
