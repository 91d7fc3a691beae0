"""``differences.csv`` and ``differences.parquet``: a row a line that differs, for people who analyse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow import parquet

from worker.replay.running.whole import PRIVATE, SHARED, writing_whole
from worker.replay.telling.differences import PHI_COLUMNS, Difference

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ROW_GROUP = 50_000
"""Rows that are in memory at a time, and in a row group of the Parquet file."""

_WORD = pa.dictionary(pa.int32(), pa.string())
"""For columns in which few values come again and again."""
_TEXT = pa.string()
_TYPES: dict[str, pa.DataType] = {
    "partition": pa.int32(),
    "offset": pa.int64(),
    "result_offset": pa.int64(),
    "line": pa.int64(),
    "units_before": pa.int64(),
    "units_after": pa.int64(),
    "units_billed": pa.int32(),
    "claim_id": _TEXT,
    "member_id": _TEXT,
    "result_id_before": _TEXT,
    "result_id_after": _TEXT,
}
"""Types of the Parquet file's columns; those not named are words."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "'", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How text begins that a spreadsheet takes for a formula, and how what is guarded against it begins."""


def columns(*, with_phi: bool) -> tuple[str, ...]:
    """Names of the tables' columns, in their order."""
    fields = Difference.__struct_fields__
    return fields if with_phi else tuple(name for name in fields if name not in PHI_COLUMNS)


def write_tables(rows: Iterable[Difference], csv: Path, parquet_file: Path, *, with_phi: bool) -> None:
    """Write both files whole, in the rows' order and in bounded memory; the same rows give the same bytes."""
    names = columns(with_phi=with_phi)
    schema = pa.schema([pa.field(name, _TYPES.get(name, _WORD)) for name in names])
    take = attrgetter(*names)
    mode = PRIVATE if with_phi else SHARED
    with writing_whole(csv, mode) as text, writing_whole(parquet_file, mode) as table:
        text.write((",".join(names) + "\r\n").encode())
        with parquet.ParquetWriter(table, schema, compression="zstd") as writer:
            for some in _in_groups(rows):
                cells = [take(row) for row in some]
                text.write("".join(map(_csv_row, cells)).encode())
                by_column = zip(*cells, strict=True)
                arrays = [
                    pa.array(column, field.type) for column, field in zip(by_column, schema, strict=True)
                ]
                writer.write_batch(pa.record_batch(arrays, schema=schema))


def _in_groups(rows: Iterable[Difference]) -> Iterator[Sequence[Difference]]:
    iterator = iter(rows)
    while some := list(islice(iterator, ROW_GROUP)):
        yield some


def _csv_row(cells: Iterable[str | int | None]) -> str:
    """A line of RFC 4180. What is null is empty; text that is empty is quoted, so that they can be told."""
    return ",".join(map(_csv_cell, cells)) + "\r\n"


def _csv_cell(cell: str | int | None) -> str:
    if cell is None:
        return ""
    if isinstance(cell, int):
        return str(cell)
    # Ids are whatever their producers write, and auditors open the file with a spreadsheet: one that looks
    # like a formula must stay text. Every cell that begins like one gets an apostrophe, and so does one that
    # begins with an apostrophe, so that taking one off gives the text back. The Parquet file has it as it is.
    if cell.startswith(FORMULA):
        cell = "'" + cell
    if not cell or any(char in cell for char in ',"\r\n'):
        return '"' + cell.replace('"', '""') + '"'
    return cell
