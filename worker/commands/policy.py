"""``mms-worker policy``: what the policies are, what they say, whether they check, and what changed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import msgspec
import orjson
from cyclopts import App, Parameter
from rich.markup import escape
from rich.table import Table

from worker.codes.errors import CodePathError, CodeSetError
from worker.commands.console import Output
from worker.policies import catalog
from worker.policies.catalog import PolicyError
from worker.policies.differences import differences
from worker.policies.errors import PolicyManifestError
from worker.policies.words import (
    adjustment_in_words,
    change_in_words,
    criterion_in_words,
    period_in_words,
    value_in_words,
)

if TYPE_CHECKING:
    from worker.adjudication.policy import Document, Policies, Version
    from worker.policies.code_checks import Vocabulary

app = App(
    name="policy", help="Dated policies: what they say, whether they check, and what new ones would change."
)
app.command("worker.commands.impact:impact", name="impact")
app.command("worker.commands.manifests:list_policies", name="manifest")

Directory = Annotated[
    Path | None,
    Parameter(
        name=["--dir", "-d", "--policies-dir"],
        env_var="MMS_POLICIES_DIR",
        help="Policy directory; by default the policies of the package.",
    ),
]
PayersFile = Annotated[
    Path | None,
    Parameter(
        name="--payers",
        env_var="MMS_PAYERS_FILE",
        help="Which payer uses which policy, instead of payers.toml.",
    ),
]
CodesDir = Annotated[
    Path | None,
    Parameter(
        name=["--codes", "--codes-dir"],
        env_var="MMS_CODES_DIR",
        help="Code directory to check codes against.",
    ),
]
Json = Annotated[bool, Parameter(help="Print JSON.", negative="")]
PolicyId = Annotated[str, Parameter(help="A policy's id, as `policy list` shows it.")]

FAULTS = 1
USAGE = 2


@app.command(name="list")
def list_policies(*, directory: Directory = None, payers: PayersFile = None, json: Json = False) -> None:
    """List every version of every policy: when it is in force, and for whose members it decides necessity."""
    policies = _policies(directory, payers)
    listed = [
        (document, version, _payers_of(document, policies))
        for document in policies.documents.values()
        for version in document.versions
    ]
    if json:
        _print_json(
            [
                {
                    "policy": document.id,
                    "version": version.version,
                    "effective": version.effective,
                    "until": version.until,
                    "payers": used_by,
                    "title": document.title,
                }
                for document, version, used_by in listed
            ]
        )
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for head in ("policy", "version", "effective", "until", "payers", "title"):
        table.add_column(head, overflow="fold")
    for document, version, used_by in listed:
        until = str(version.until or "open")
        row = (
            document.id,
            version.version,
            str(version.effective),
            until,
            ", ".join(used_by),
            document.title,
        )
        table.add_row(*map(escape, row))
    Output().print(table)


@app.command(name="show")
def show(
    policy: PolicyId,
    /,
    *,
    version: Annotated[str | None, Parameter(help="The version; by default the newest.")] = None,
    on: Annotated[date | None, Parameter(help="Or the version in force on this date of service.")] = None,
    directory: Directory = None,
    payers: PayersFile = None,
    json: Json = False,
) -> None:
    """Show one version of a policy: its indications in plain words, its rules, citations and reason codes."""
    document = _document(_policies(directory, payers), policy)
    chosen = _chosen(document, version, on)
    if json:
        whole = msgspec.to_builtins(document)
        del whole["versions"]
        _print_json({**whole, "version": msgspec.to_builtins(chosen)})
    else:
        _render(document, chosen, Output(highlight=False))


@app.command(name="check")
def check(
    *, directory: Directory = None, payers: PayersFile = None, codes: CodesDir = None, json: Json = False
) -> None:
    """Check policy files: their form, their versions, their rules and every code they name.

    Prints one line a fault, with its file and key. Exit code 1 when there is one, 2 when a path cannot be
    read. Files that no manifest lists yet are drafts, and no fault.
    """
    require_readable(directory, payers)
    faults = catalog.check(directory, payers, vocabulary(codes))
    if json:
        _print_json([{**fault._asdict(), "file": str(fault.file)} for fault in faults])
    elif faults:
        print(*faults, sep="\n")
    else:
        print(f"{len(_policies(directory, payers).documents)} policies check")
    if faults:
        sys.exit(FAULTS)
    unlisted = catalog.unlisted(directory, payers)
    if unlisted is not None:
        print(f"mms-worker: no worker starts on them: {unlisted}", file=sys.stderr)


@app.command(name="diff")
def diff(
    policy: PolicyId,
    old: Annotated[str | None, Parameter(help="The version to compare from.")] = None,
    new: Annotated[str | None, Parameter(help="The version to compare to.")] = None,
    /,
    *,
    directories: Annotated[
        list[Path] | None,
        Parameter(
            name=["--dir", "-d"],
            help="Policy directory; given twice, the old one and the new one.",
            negative="",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Print what changed by key: between two versions of a policy, or between two directories' copies of it.

    With two directories and no version whole policies are compared; with versions, the old directory's OLD
    with the new directory's NEW.
    """
    given: list[Path | None] = [*(directories or [])] or [None]
    old_directory, *newer = given
    if len(newer) > 1:
        _exit("--dir is given at most twice: the old directory and the new one", USAGE)
    if (old is None) != (new is None) or (old is None and not newer):
        _exit("name two versions, or two directories with --dir OLD --dir NEW", USAGE)
    first = second = _document(_policies(old_directory), policy)
    if newer:
        second = _document(_policies(newer[0]), policy)
    if old is None:
        changes = differences(first, second)
    else:
        changes = differences(_chosen(first, old), _chosen(second, new))
    if json:
        _print_json([change._asdict() for change in changes])
    else:
        print(*(map(change_in_words, changes) if changes else ["no difference"]), sep="\n")


def _policies(directory: Path | None, payers: Path | None = None) -> Policies:
    require_readable(directory, payers)
    try:
        return catalog.load(directory, payers, draft=True)
    except PolicyError as error:
        _exit(str(error), USAGE if isinstance(error, PolicyManifestError) else FAULTS)


def require_readable(directory: Path | None, payers: Path | None) -> None:
    """End as on invalid usage when a path that was given, or a policy file in it, cannot be read."""
    try:
        files = [path for path in directory.iterdir() if path.suffix == ".toml"] if directory else []
        for file in (*files, *([payers] if payers else [])):
            file.open("rb").close()
    except OSError as error:
        _exit(f"{error.filename}: cannot be read: {error.strerror}", USAGE)


def _document(policies: Policies, policy: str) -> Document:
    document = policies.documents.get(policy)
    if document is None:
        _exit(f"there is no policy {policy!r}; there are {', '.join(policies.documents)}", USAGE)
    return document


def _chosen(document: Document, version: str | None, on: date | None = None) -> Version:
    """The version of a name, or in force on a day, or the newest."""
    if version is not None and on is not None:
        _exit("give --version or --on, not both", USAGE)
    if on is not None:
        in_force = document.on(on)
        return in_force or _exit(f"no version of {document.id} is in force on {on}", USAGE)
    if version is None:
        return document.versions[-1]
    named = {one.version: one for one in document.versions}
    there = ", ".join(named)
    return named.get(version) or _exit(f"{document.id} has no version {version!r}; it has {there}", USAGE)


def _payers_of(document: Document, policies: Policies) -> list[str]:
    """The payers for whose members it says when Mohs surgery is necessary."""
    payers = [payer for payer, policy in policies.necessity_by_payer.items() if policy == document.id]
    return [*payers, "every other"] if policies.default_necessity == document.id else payers


def vocabulary(codes_dir: Path | None = None) -> Vocabulary:
    """The codes of the code sets, as a policy's check asks for them.

    Exit 1 when they do not check, 2 when they cannot be read.
    """
    from worker.reference import policy_vocabulary

    try:
        return policy_vocabulary(codes_dir)
    except CodeSetError as error:
        _exit(str(error), USAGE if isinstance(error, CodePathError) else FAULTS)


def _render(document: Document, version: Version, console: Output) -> None:
    console.print(f"[bold]{escape(document.title)}[/]")
    console.print(escape(document.source), style="dim")
    console.print(f"{document.id}, version {escape(version.version)}, in force {period_in_words(version)}")
    console.print(f"changes: {escape(version.changes)}")
    console.print(f"a pend carries {adjustment_in_words(document.pend)}")
    if version.necessity is not None:
        console.print(f"\n[bold]Necessary, for {', '.join(version.necessity.procedures)}, when any is met[/]")
        for one in version.necessity.indications:
            console.print(
                f"\n[cyan]{escape(one.id)}[/]  {escape(one.summary)}  [dim]{escape(one.citation)}[/]"
            )
            for criterion in one.any_of:
                console.print(f"  · {criterion_in_words(criterion)}")
    for section in ("structure", "bundling", "edits"):
        parameters = getattr(version, section)
        if parameters is not None:
            console.print(f"\n[bold]{section.capitalize()}[/]")
            _render_rows(
                console,
                [(key, value_in_words(value)) for key, value in msgspec.to_builtins(parameters).items()],
            )
    console.print("\n[bold]Rules[/]")
    rules = [(rule, adjustment_in_words(said.deny), said.citation) for rule, said in version.rules.items()]
    _render_rows(console, rules)


def _render_rows(console: Output, rows: Sequence[Sequence[str]]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="cyan", no_wrap=True)
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)


def _print_json(value: object) -> None:
    print(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def _exit(message: str, code: int) -> NoReturn:
    print(f"mms-worker: {message}", file=sys.stderr)
    sys.exit(code)
