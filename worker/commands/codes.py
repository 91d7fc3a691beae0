"""``mms-worker codes``: which code sets there are, whether they check, what they say, how to renew them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import orjson
from cyclopts import App, Parameter
from rich.markup import escape
from rich.table import Table

from worker.codes.check import check
from worker.codes.errors import CodePathError, CodeSetError
from worker.codes.importing import ImportRefusedError, import_release
from worker.codes.inventory import inventory
from worker.codes.lookup import look_up
from worker.commands.console import Output

FAULTS = 1
USAGE = 2

Directory = Annotated[
    Path | None,
    Parameter(
        name=["--dir", "--codes-dir"],
        env_var="MMS_CODES_DIR",
        help="Code directory; the package's own data by default.",
    ),
]
Json = Annotated[bool, Parameter(name="--json", help="Print JSON.", negative="")]

app = App(name="codes", help="List, check, look up and renew the dated code sets.")
app.command("worker.commands.manifests:list_code_sets", name="manifest")


@app.command(name="list")
def list_sets(*, directory: Directory = None, json: Json = False) -> None:
    """List every code set: its releases, the date of service from which each is in force, rows and file."""
    try:
        entries = inventory(directory)
    except CodeSetError as error:
        refuse(error)
    if json:
        _print_json([{**entry._asdict(), "file": str(entry.file)} for entry in entries])
        return
    _print_table(
        ("set", "release", "effective", "rows", "file"),
        [
            (entry.code_set, entry.release, str(entry.effective), f"{entry.rows:,}", entry.file.name)
            for entry in entries
        ],
    )


@app.command(name="check")
def check_sets(*, directory: Directory = None, json: Json = False) -> None:
    """Check every file and what the files say of each other. Exit code 1 when there is a fault.

    Known gaps of the policy's diagnosis list are told and are no faults, and so are files that no manifest
    lists yet.
    """
    try:
        remarks = check(directory)
    except CodePathError as error:
        refuse(error)
    faults = sum(remark.fault for remark in remarks)
    if json:
        _print_json([{**remark._asdict(), "file": str(remark.file)} for remark in remarks])
    else:
        for remark in remarks:
            print(remark, file=sys.stderr if remark.fault else sys.stdout)
        print(f"{faults} faults, {len(remarks) - faults} notes")
    if faults:
        sys.exit(FAULTS)


@app.command(name="lookup")
def look_up_code(
    code: Annotated[str, Parameter(help="A diagnosis, procedure, modifier, place of service, CARC or RARC.")],
    /,
    *,
    on: Annotated[date | None, Parameter(help="Date of service; today by default.")] = None,
    directory: Directory = None,
    json: Json = False,
) -> None:
    """Look up what every table says of a code on a date of service. Exit code 1 when none knows it."""
    day = on or datetime.now().astimezone().date()
    try:
        statements = look_up(code.upper(), day, directory)
    except CodeSetError as error:
        refuse(error)
    if json:
        _print_json([statement._asdict() for statement in statements])
    elif statements:
        _print_table(("set", "release", f"{code.upper()} on {day}"), statements)
    if not statements:
        _exit(f"no table in force on {day} knows {code.upper()}", FAULTS)


@app.command(name="import")
def import_files(
    kind: Annotated[
        Literal["ncci-ptp", "ncci-mue", "ncci-aoc", "icd10cm"], Parameter(help="What the files hold.")
    ],
    files: Annotated[list[Path], Parameter(help="The publisher's files; the parts of one release together.")],
    /,
    *,
    into: Annotated[
        Path | None,
        Parameter(
            env_var="MMS_CODES_DIR",
            help="Code directory; a new one starts as a copy of the package's data, which is the default.",
        ),
    ] = None,
    effective: Annotated[
        date | None, Parameter(help="First date of service; by default as the file's name tells.")
    ] = None,
    release: Annotated[
        str | None, Parameter(help="Name of the release; by default as the file's name tells.")
    ] = None,
    replace: Annotated[
        bool, Parameter(help="Write a release anew that is there already.", negative="")
    ] = False,
) -> None:
    """Import a publisher's release: all of it, or nothing. The manifest lists it afterwards.

    Exit code 1 when a file is malformed or the code directory does not check, 2 when a path cannot be read or
    written, or more must be said.
    """
    try:
        done = import_release(kind, files, into, effective=effective, release=release, replace=replace)
    except CodeSetError as error:
        refuse(error)
    except ImportRefusedError as error:
        _exit(str(error), USAGE)
    print(
        f"{'replaced' if done.replaced else 'imported'} {done.code_set} {done.release}, {done.rows:,} rows, "
        f"in force from {done.effective}: {done.file}"
    )


def _print_json(value: object) -> None:
    print(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def _print_table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for head in heads:
        table.add_column(
            head, justify="right" if head == "rows" else "left", overflow="fold", no_wrap=head == "set"
        )
    for row in rows:
        table.add_row(*map(escape, row))
    Output().print(table)


def refuse(error: CodeSetError) -> NoReturn:
    """End on a path that cannot be used as on invalid usage, and on what is in a file as on a fault."""
    _exit(str(error), USAGE if isinstance(error, CodePathError) else FAULTS)


def _exit(message: str, code: int) -> NoReturn:
    print(f"mms-worker: {message}", file=sys.stderr)
    sys.exit(code)
