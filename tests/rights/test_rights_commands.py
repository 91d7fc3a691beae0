"""``mms-worker topics acls`` and the page have the table; commands tell in a line which right is missing."""

from __future__ import annotations

import shlex
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from subprocess import CompletedProcess

import orjson
import pytest

from tests.rights.guarded import Guarded
from tests.stream.streamkit import Stream
from worker.commands.acls import commands, in_markdown, rows
from worker.devkit.local import command
from worker.devkit.process import run
from worker.settings import Settings
from worker.stream.rights.table import ROLES, Role, Task, grants, rights, role_of

PAGE = Path(__file__).parents[2] / "deploy" / "security" / "rights.md"
COMMAND_S = 60.0
SETTINGS = Settings(
    app_id="app", input_topic="in", results_topic="out", dead_letter_topic="dlq", changelog_topic="history"
)


def acls(*arguments: str) -> CompletedProcess[str]:
    return run(command(SETTINGS, "topics", "acls", *arguments), COMMAND_S)


def test_a_role_is_printed_as_the_commands_that_grant_it() -> None:
    done = acls("--role", "redrive", "--principal", "User:CN=a b", "--bootstrap", "k:1")
    to_all = "kafka-acls.sh --bootstrap-server k:1 --add --allow-principal 'User:CN=a b' --operation"
    several = "Read --operation Write --operation Create --operation DescribeConfigs"
    assert done.stdout.splitlines() == [
        f"{to_all} Read --topic dlq",
        f"{to_all} {several} --topic dlq.redriven",
        f"{to_all} Write --topic in",
        f"{to_all} Write --transactional-id dlq.redriven- --resource-pattern-type prefixed",
    ]


def test_without_a_role_json_has_all_of_them() -> None:
    assert orjson.loads(acls("--json").stdout) == rows(None, SETTINGS)


@pytest.mark.parametrize("role", Role)
def test_commands_and_json_say_the_same(role: Role) -> None:
    by_command = set()
    for line in commands(role, "User:x", SETTINGS):
        options = defaultdict(list)
        words = iter(shlex.split(line)[1:])
        for word in words:
            if word != "--add":
                options[word].append(next(words))
        (name,) = [options[one][0] for one in ("--topic", "--group", "--transactional-id") if options[one]]
        by_command.add((name, tuple(options["--operation"])))
    assert by_command == {(row["name"], tuple(row["operations"])) for row in rows(role, SETTINGS)}


@pytest.mark.parametrize(
    "arguments", [(), ("--role", "worker"), ("--principal", "User:x"), ("--json", "--markdown")]
)
def test_what_does_not_go_together_ends_it_with_two(arguments: tuple[str, ...]) -> None:
    done = acls(*arguments)
    assert done.returncode == 2
    assert done.stdout.startswith("mms-worker: give --")


def test_the_page_has_the_table() -> None:
    assert in_markdown() in PAGE.read_text()


def test_a_worker_may_neither_write_claims_nor_make_topics() -> None:
    (on_input,) = [
        grant for grant in grants(ROLES[Role.WORKER], SETTINGS) if grant.resource.name == SETTINGS.input_topic
    ]
    assert on_input.operations == ("Read", "DescribeConfigs")
    assert all("Create" not in grant.operations for grant in grants(ROLES[Role.WORKER], SETTINGS))


COMMANDS = {
    Task.CREATE_TOPICS: ("topics", "create"),
    Task.CHECK_TOPICS: ("topics", "check"),
    Task.STATUS: ("status",),
    Task.HISTORY: ("history", "show", "MBR-1"),
    Task.LETTERS: ("dlq", "list"),
    Task.REDRIVE: ("dlq", "redrive"),
    Task.REPLAY: ("replay",),
    Task.SEND: ("devkit", "load", "--count", "1"),
}


@pytest.mark.parametrize("task", COMMANDS)
def test_a_command_that_lacks_a_right_ends_with_two_and_one_line(
    guarded: Guarded, tmp_path: Path, prefix: str, task: Task
) -> None:
    stream = Stream(guarded.bootstrap, prefix.replace("_", "-"), tmp_path, ExitStack())
    *others, lacking = rights(task, stream.settings)
    settings = guarded.as_user(guarded.new_user(others), stream.settings)
    into = ("--out", str(tmp_path / "out")) if task is Task.REPLAY else ()
    done = run(command(settings, *COMMANDS[task], *into), COMMAND_S)
    assert done.returncode == 2, done.stdout
    (line,) = done.stdout.splitlines()
    how = f"mms-worker topics acls --role {role_of(task)} --principal User:NAME prints"
    assert line == f"mms-worker: this user lacks {lacking}; grant it, as {how}"
