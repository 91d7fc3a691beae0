"""``mms-worker topics acls``: what Kafka must allow whom, from the one table that the refusals go by."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated, Any

import orjson
from cyclopts import Parameter

from worker.commands.brokers import NOT_READ, Bootstrap, exit_with, settings_or_exit, telling
from worker.settings import Settings
from worker.stream.rights.table import ROLES, Grant, Kind, Role, grants

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIXED, LITERAL = "prefixed", "literal"

_OPTIONS = {Kind.TOPIC: "--topic", Kind.GROUP: "--group", Kind.TRANSACTIONAL_ID: "--transactional-id"}
"""Those of kafka-acls.sh that name a resource."""


def acls(
    *,
    role: Annotated[
        Role | None, Parameter(help="Whose rights; with --json and --markdown by default all.")
    ] = None,
    principal: Annotated[
        str | None, Parameter(help="Whom to grant them, as brokers call the user: User:mms-worker.")
    ] = None,
    bootstrap: Bootstrap = None,
    json: Annotated[bool, Parameter(negative="", help="Print JSON.")] = False,
    markdown: Annotated[
        bool, Parameter(negative="", help="Print the table with the settings' defaults.")
    ] = False,
) -> None:
    """Print what a role needs to be allowed, as the commands of Kafka's kafka-acls.sh that grant it.

    Topics, group and transactional ids are named as the settings name them. Nothing is asked of the brokers,
    and nothing is granted. Exit code 2 when the settings are not valid.
    """
    with telling() as out:
        if json and markdown:
            exit_with("give --json or --markdown, not both", NOT_READ)
        if markdown:
            out.write(in_markdown(role).encode())
            return
        settings = settings_or_exit(bootstrap)
        if json:
            out.write(orjson.dumps(rows(role, settings), option=orjson.OPT_INDENT_2) + b"\n")
            return
        if role is None or principal is None:
            exit_with("give --role and --principal, or --json", NOT_READ)
        out.write("".join(f"{line}\n" for line in commands(role, principal, settings)).encode())


def commands(role: Role, principal: str, settings: Settings) -> Iterator[str]:
    """A command for each resource."""
    for grant in grants(ROLES[role], settings):
        words = ["kafka-acls.sh", "--bootstrap-server", settings.bootstrap_servers]
        words += ["--add", "--allow-principal", principal]
        for operation in grant.operations:
            words += ["--operation", operation]
        words += [_OPTIONS[grant.resource.kind], grant.resource.name]
        if grant.resource.is_prefix:
            words += ["--resource-pattern-type", PREFIXED]
        yield shlex.join(words)


def rows(role: Role | None, settings: Settings) -> list[dict[str, Any]]:
    """An object for each role and resource."""
    return [
        {
            "role": one,
            "resource_type": grant.resource.kind,
            "name": grant.resource.name,
            "pattern_type": _pattern(grant),
            "operations": list(grant.operations),
            "optional": grant.is_optional,
            "what_for": list(grant.what_for),
        }
        for one in ([role] if role else Role)
        for grant in grants(ROLES[one], settings)
    ]


def in_markdown(role: Role | None = None) -> str:
    """The table, with the names that the settings have by default."""
    settings = Settings.model_construct()  # the environment's would be those of whoever writes the page
    lines = ["| role | resource | operations | what for |", "|---|---|---|---|"]
    for one in [role] if role else Role:
        for grant in grants(ROLES[one], settings):
            kind, name, _ = grant.resource
            operations = ", ".join(grant.operations) + (" (optional)" if grant.is_optional else "")
            named = f"{kind} `{name}`" + (f", {PREFIXED}" if grant.resource.is_prefix else "")
            lines.append(f"| {one} | {named} | {operations} | {'; '.join(grant.what_for)} |")
    return "\n".join(lines) + "\n"


def _pattern(grant: Grant) -> str:
    return PREFIXED if grant.resource.is_prefix else LITERAL
