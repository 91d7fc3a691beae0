"""Rows of a Parquet file whose columns are those of records.

``value`` (string or binary) must be there. ``key`` and ``headers`` are the record's, ``timestamp`` is a time
or milliseconds, ``partition`` and ``offset`` are where it lay. Each of these may be missing, others are
ignored.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from worker.replay.reading.archived import Row
from worker.replay.reading.evidence import EvidenceError
from worker.replay.reading.lines import ANEW, EXTRA, reading
from worker.stream.records import ESCAPED, RawName

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

BATCH_ROWS = 500
COLUMNS = ("value", "key", "timestamp", "headers", "partition", "offset")
HEADER_FIELDS = ("key", "value")


def column_names(path: Path) -> frozenset[str]:
    """The columns of a file, by name. Raises EvidenceError if it cannot be read."""
    with _opened(path) as file:
        return frozenset(file.schema_arrow.names)


def rows(path: Path) -> Iterator[list[Row | None]]:
    """The rows of a file, some at a time. Raises EvidenceError if it cannot be read or has other columns."""
    with _opened(path) as file:
        import pyarrow as pa  # noqa: PLC0415  large, not always installed, and not always needed

        schema = file.schema_arrow
        columns = [name for name in COLUMNS if name in schema.names]
        for name in COLUMNS:
            _check(path, name, schema.field(name).type if name in columns else None, pa.types)
        for batch in file.iter_batches(BATCH_ROWS, columns=columns, use_threads=False):
            yield _rows({name: batch.column(name) for name in columns}, pa)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        import pyarrow as pa  # noqa: PLC0415  large, not always installed, and not always needed
        from pyarrow import parquet  # noqa: PLC0415  the same
    except ImportError:
        raise EvidenceError(f"{path}: {EXTRA}") from None
    try:
        with reading(path, "parquet"), parquet.ParquetFile(path, memory_map=False, pre_buffer=False) as file:
            yield file
    except pa.ArrowException:
        # What it says may quote what is stored.
        raise EvidenceError(f"{path}: it is damaged or cut off, as parquet; {ANEW}") from None


def _check(path: Path, name: str, found: Any, types: Any) -> None:
    """Raise EvidenceError unless a column's type is understood; ``found`` is None where it is not there."""
    if found is None:
        if name == "value":
            raise EvidenceError(f"{path}: it has no column value, which holds the events or results as JSON")
        return
    kind = found.value_type if types.is_dictionary(found) else found
    if name in {"value", "key"}:
        fits, wanted = _is_text(kind, types), "string or binary"
    elif name == "headers":
        fits, wanted = _are_headers(kind, types), "a map, or a list of structs with the fields key and value"
    elif name == "timestamp":
        fits, wanted = types.is_integer(kind) or types.is_timestamp(kind), "milliseconds or a timestamp"
    else:
        fits, wanted = types.is_integer(kind), "an integer"
    if not fits:
        raise EvidenceError(f"{path}: the column {name} is {found}, and must be {wanted}")


def _is_text(kind: Any, types: Any) -> bool:
    return any(
        getattr(types, f"is_{form}")(kind)
        for form in ("string", "large_string", "string_view", "binary", "large_binary", "binary_view")
    )


def _are_headers(kind: Any, types: Any) -> bool:
    if types.is_map(kind):
        return _is_text(kind.key_type, types) and _is_text(kind.item_type, types)
    if not (types.is_list(kind) or types.is_large_list(kind)) or not types.is_struct(kind.value_type):
        return False
    fields = {field.name: field.type for field in kind.value_type}
    return all(name in fields and _is_text(fields[name], types) for name in HEADER_FIELDS)


def _rows(columns: dict[str, Any], pa: Any) -> list[Row | None]:
    values = map(_bytes, columns["value"].to_pylist())
    count = len(columns["value"])
    none = [None] * count
    keys: Sequence[Any] = (
        list(map(_bytes, columns["key"].to_pylist())) if "key" in columns else [Row(None).key] * count
    )
    timestamps = _ms(columns["timestamp"], pa) if "timestamp" in columns else none
    headers = columns["headers"].to_pylist() if "headers" in columns else none
    if "partition" in columns and "offset" in columns:
        places = zip(columns["partition"].to_pylist(), columns["offset"].to_pylist(), strict=True)
        origins: Sequence[Any] = [None if None in place else place for place in places]
    else:
        origins = none
    return [
        Row(value, key, timestamp, _headers(named), origin)
        for value, key, timestamp, named, origin in zip(
            values, keys, timestamps, headers, origins, strict=True
        )
    ]


def _ms(column: Any, pa: Any) -> list[int | None]:
    """Milliseconds since 1970; a time without a zone is UTC, and parts of a millisecond are dropped."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ms", column.type.tz), safe=False)
    found: list[int | None] = column.cast(pa.int64()).to_pylist()
    return found


def _headers(named: Any) -> Sequence[tuple[str, bytes | None]]:
    """A record's headers: of a map pairs, of structs dicts."""
    if not named:
        return ()
    pairs = [
        tuple(header[name] for name in HEADER_FIELDS) if isinstance(header, dict) else header
        for header in named
    ]
    return [(_name(name), _bytes(value)) for name, value in pairs]


def _name(name: str | bytes) -> str:
    if isinstance(name, str):
        return name
    try:
        return name.decode()
    except UnicodeDecodeError:
        return RawName(name.decode("utf-8", ESCAPED))


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
