"""Options of commands that replay: what, by what it is decided, and where the report goes."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from worker.commands.brokers import NOT_READ, Bootstrap, exit_with
from worker.commands.console import NOTICE
from worker.commands.faults import tell_if_heard

FILE_PARTS = 4
"""Shards that files are replayed in. Each reads all of them, so more take longer; fewer leave cores idle.

It is no setting, and does not follow the machine: the same files give the same bytes everywhere.
"""
Several = Parameter(consume_multiple=True, negative="", show_default=False)


@Parameter(name="*")
@dataclass(frozen=True)
class Given:
    """What is replayed: the input and results topics of the settings, or files."""

    events: Annotated[
        tuple[Path, ...],
        Several,
        Parameter(help="Archived events, oldest first: JSON Lines, also .gz or .zst, or Parquet."),
    ] = ()
    results: Annotated[
        tuple[Path, ...], Several, Parameter(help="The results that were published for them.")
    ] = ()
    begin: Annotated[
        str | None,
        Parameter(
            name="--from",
            help="Compare from here on, with it: a time, or an offset (or 0:1200,3:800 by partition).",
        ),
    ] = None
    end: Annotated[
        str | None, Parameter(name="--to", help="Compare up to here, without it; by default to the end.")
    ] = None
    bootstrap: Bootstrap = None


@Parameter(name="*")
@dataclass(frozen=True)
class Deciding:
    """What events are decided by: what their results name, and others to compare with."""

    basis: Annotated[
        tuple[Path, ...],
        Several,
        Parameter(help="Folders that hold former policies and code sets, found by their digests."),
    ] = ()
    policies: Annotated[
        Path | None, Parameter(help="Decide by these policies too: what would have been different?")
    ] = None
    codes: Annotated[Path | None, Parameter(help="Decide by these code sets too.")] = None
    payers: Annotated[
        Path | None, Parameter(help="Decide with this file of which payer uses which policy too.")
    ] = None


@Parameter(name="*")
@dataclass(frozen=True)
class Into:
    """Where the outputs go, what they hold, and how the work is done."""

    out: Annotated[Path, Parameter(help="The folder for the report: a new or an empty one.")]
    processes: Annotated[
        int | None,
        Parameter(validator=Number(gte=1), help="How many at a time; by default one for each core."),
    ] = None
    resume: Annotated[
        bool, Parameter(negative="", help="Go on with the replay that was interrupted in --out.")
    ] = False
    with_phi: Annotated[
        bool,
        Parameter(negative="", help="Put members, procedures, dates and amounts in the outputs. IT IS PHI."),
    ] = False
    progress: Annotated[
        bool, Parameter(negative="", help="Tell progress a line at a time where there is no terminal.")
    ] = False
    push: Annotated[
        str | None,
        Parameter(help="Tell a Prometheus Pushgateway how it ended: http://host:port or https://host:port."),
    ] = None


@Parameter(name="*")
@dataclass(frozen=True)
class Again:
    """What of a replay is checked again, besides its outputs and the files that are there."""

    inputs: Annotated[
        bool,
        Parameter(
            negative="", help="Read everything again that was replayed, topics too; it has to be there."
        ),
    ] = False
    signed_by: Annotated[
        Path | None,
        Parameter(help="Check results' signatures by these public keys: a PEM file, or a folder of them."),
    ] = None
    signed_since: Annotated[
        str | None,
        Parameter(help="Accept unsigned results from before this time: signing began then."),
    ] = None
    bootstrap: Bootstrap = None


TOPICS = Given()
RECORDED = Deciding()
OUTPUTS_AND_FILES = Again()


def announce_phi(*, with_phi: bool) -> None:
    """Say on standard error what the outputs are going to hold, if it was asked for."""
    if with_phi:
        tell_if_heard(f"mms-worker: --with-phi: the outputs are {NOTICE}")


def require_pyarrow() -> None:
    """Exit with 2 where pyarrow is not installed: it writes the tables, and reads archives."""
    if find_spec("pyarrow") is None:
        exit_with("a replay needs pyarrow; install mms-adjudication-worker[replay]", NOT_READ)
