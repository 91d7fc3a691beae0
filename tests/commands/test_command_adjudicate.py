"""``mms-worker adjudicate`` as a person runs it: a process, files, pipes and a terminal."""

from __future__ import annotations

import base64
import json
import os
import pty
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from shutil import copytree
from subprocess import PIPE, CompletedProcess, Popen
from typing import Any, NamedTuple, TypeAlias

import orjson
import pytest
from cyclopts import ValidationError as InvalidOption
from pydantic import ValidationError as InvalidSetting

from tests.adjudication import historykit
from tests.adjudication.historykit import claim, documentation, expiry, void
from worker.adjudication import Rejected, adjudicate_alone, decode, encode
from worker.adjudication import adjudicate as adjudicate_event
from worker.adjudication.claim import DOCUMENTED, EXPIRED, SUBMITTED, VOIDED, Claim
from worker.adjudication.decode import MAX_VALUE_BYTES
from worker.cli import app
from worker.codes.listing import contents_of
from worker.codes.releases import PACKAGE_DATA
from worker.commands.adjudicate import LONG_FILE_BYTES
from worker.devkit.generator import events, histories
from worker.manifest import MANIFEST, manifest_of
from worker.policies import catalog as policies
from worker.settings import Settings, variable

MARKER = "ZQ-PRIVATE-ZQ"
"""A value that no message may quote."""

MANY = 512
"""Events that no pipe holds, and results that no pipe holds."""

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("MMS_")}
ENVIRONMENT |= {"TERM": "xterm-256color"}


def start(
    *arguments: str | Path,
    stdin: int | None = PIPE,
    stdout: int | None = PIPE,
    stderr: int | None = PIPE,
    variables: Mapping[str, str] = {},
) -> Popen[bytes]:
    command = [sys.executable, "-m", "worker", "adjudicate", *map(str, arguments)]
    environment = ENVIRONMENT | dict(variables)
    return Popen(command, stdin=stdin, stdout=stdout, stderr=stderr, env=environment)


def adjudicate(*arguments: str | Path, stdin: bytes = b"", **variables: str) -> CompletedProcess[bytes]:
    with start(*arguments, variables=variables) as process:
        results, told = process.communicate(stdin)
    return CompletedProcess(process.args, process.returncode, results, told)


@cache
def claims(count: int = 3) -> list[bytes]:
    """Good events, each one line of JSON."""
    return [orjson.dumps(event) for event in events(count, seed=11)]


def broken(**changes: Any) -> bytes:
    """A good event with fields of its data replaced, the member's id and a diagnosis telling."""
    event = orjson.loads(claims()[0])
    event["data"] |= {"member_id": MARKER, **changes}
    return orjson.dumps(event)


def lines(records: Sequence[bytes]) -> bytes:
    return b"".join(record + b"\n" for record in records)


def claim_ids(results: bytes) -> list[str]:
    return [json.loads(result)["claim_id"] for result in results.splitlines()]


CLAIM_IDS = [orjson.loads(claim)["data"]["claim_id"] for claim in claims()]


@pytest.fixture
def good(tmp_path: Path) -> Path:
    file = tmp_path / "claims.jsonl"
    file.write_bytes(lines(claims()))
    return file


def test_a_file_and_standard_input_and_a_second_run_give_the_same_bytes(good: Path) -> None:
    first, second = adjudicate(good), adjudicate(good)
    piped = adjudicate("-", stdin=good.read_bytes())
    assert (first.returncode, first.stderr) == (0, b"")
    assert claim_ids(first.stdout) == CLAIM_IDS
    assert first.stdout == second.stdout == piped.stdout
    assert first.stdout.endswith(b"\n")


def test_out_holds_what_standard_output_would_have_shown(good: Path, tmp_path: Path) -> None:
    out = tmp_path / "results.jsonl"
    ran = adjudicate(good, "--out", out)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")
    assert out.read_bytes() == adjudicate(good).stdout
    assert sorted(tmp_path.iterdir()) == [good, out]


def test_out_has_its_name_only_once_it_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "results.jsonl"
    out.write_bytes(b"of an earlier run\n")
    with start("-", "--out", out) as process:
        assert process.stdin is not None
        process.stdin.write(lines(claims(MANY)))
        process.stdin.flush()
        assert out.read_bytes() == b"of an earlier run\n"
        process.stdin.close()
        assert process.wait() == 0
    assert len(out.read_bytes().splitlines()) == MANY


def test_a_run_that_is_killed_leaves_what_was_there(tmp_path: Path) -> None:
    out = tmp_path / "results.jsonl"
    out.write_bytes(b"of an earlier run\n")
    with start("-", "--out", out) as process:
        assert process.stdin is not None
        process.stdin.write(lines(claims(MANY)))  # more than a pipe holds: it is at work
        process.stdin.flush()
        process.kill()
    assert out.read_bytes() == b"of an earlier run\n"


def test_results_go_to_a_device_as_they_are(good: Path) -> None:
    ran = adjudicate(good, "--out", "/dev/stdout")
    assert (ran.returncode, ran.stdout) == (0, adjudicate(good).stdout)


REJECTED: list[tuple[str, bytes, str]] = [
    ("not JSON", b'{"id": "' + MARKER.encode(), r"undecodable at \$: not JSON at byte \d+"),
    ("no event", b"[]", r"contract at \$: .+"),
    ("an unknown type", b'{"specversion":"1.0","id":"1","source":"/s","type":"ZQ-PRIVATE-ZQ","data":{}}',
     r"unknown_type at \$\.type: .+"),
    ("a wrong type", broken(diagnoses=MARKER), r"contract at \$\.data\.diagnoses: .+"),
    ("an unknown word", broken(frequency_code=MARKER), r"contract at \$\.data\.frequency_code: .+"),
    ("a bad code", broken(diagnoses=[f"{MARKER}-{MARKER}"]), r"contract at \$\.data\.diagnoses\[0\]: .+"),
    ("an id too long", broken(claim_id=MARKER * 9), r"contract at \$\.data\.claim_id: .+"),
    ("a repeated key", broken().replace(b"{", b'{"id":"ZQ-PRIVATE-ZQ",', 1), r"contract at \$: .+"),
    ("invalid UTF-8", broken().replace(b"PRIVATE", b"\xff"), r"contract at \$: .+"),
    ("a void of nothing held", broken(frequency_code="8", original_claim_id=MARKER),
     r"unknown_claim at \$.+: .+"),
]  # fmt: skip


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Good claims on lines 1 and 12 and the last, between them what is rejected."""
    first, second, third = claims()
    file = tmp_path / "mixed.jsonl"
    file.write_bytes(lines([first, *(bad for _, bad, _ in REJECTED), second]) + third)
    return file


def test_rejected_lines_are_told_with_number_reason_and_path_but_never_a_value(mixed: Path) -> None:
    ran = adjudicate(mixed)
    assert ran.returncode == 1
    assert claim_ids(ran.stdout) == CLAIM_IDS
    told = ran.stderr.decode().splitlines()
    assert len(told) == len(REJECTED)
    for number, (line, (_, _, expected)) in enumerate(zip(told, REJECTED, strict=True), 2):
        assert re.fullmatch(f"line {number}: {expected}", line)
    assert MARKER not in ran.stderr.decode()


def test_dead_letters_hold_the_bytes_of_rejected_lines(mixed: Path, tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    ran = adjudicate(mixed, "--dead-letters", path)
    assert (ran.returncode, ran.stderr) == (1, b"")
    assert claim_ids(ran.stdout) == CLAIM_IDS
    letters = [json.loads(letter) for letter in path.read_bytes().splitlines()]
    told = adjudicate(mixed).stderr.decode().splitlines()
    for letter, line, (_, bad, _) in zip(letters, told, REJECTED, strict=True):
        assert list(letter) == ["line", "reason", "path", "message", "value_base64"]
        assert "line {line}: {reason} at {path}: {message}".format(**letter) == line
        assert base64.b64decode(letter["value_base64"], validate=True) == bad
        assert MARKER not in json.dumps(letter | {"value_base64": ""})


def test_dead_letters_are_an_empty_file_when_nothing_was_rejected(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    assert adjudicate(good, "--dead-letters", path).returncode == 0
    assert path.read_bytes() == b""


FRAMINGS: list[tuple[str, bytes, list[str]]] = [
    ("an empty file", b"", []),
    ("blank lines only", b"\n \n\r\n\t\n", []),
    ("blank lines between", b"\n" + claims()[0] + b"\n\n  \n" + claims()[1] + b"\n\n", CLAIM_IDS[:2]),
    ("no newline at the end", claims()[0] + b"\n" + claims()[1], CLAIM_IDS[:2]),
    ("Windows line ends", claims()[0] + b"\r\n\r\n" + claims()[1] + b"\r\n", CLAIM_IDS[:2]),
    ("spaces around", b"  " + claims()[0] + b"\t \n", CLAIM_IDS[:1]),
]


@pytest.mark.parametrize(("content", "expected"), [pytest.param(c, e, id=i) for i, c, e in FRAMINGS])
def test_lines_are_told_apart_as_json_lines_are(content: bytes, expected: list[str]) -> None:
    ran = adjudicate("-", stdin=content)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert claim_ids(ran.stdout) == expected


def test_line_ends_do_not_change_a_result() -> None:
    unix, windows = lines(claims()), lines(claims()).replace(b"\n", b"\r\n")
    assert adjudicate("-", stdin=windows).stdout == adjudicate("-", stdin=unix).stdout


def test_blank_lines_count_in_the_numbers_of_rejected_ones() -> None:
    ran = adjudicate("-", stdin=b"\n\n[]\r\n\n[]")
    assert [told.split(b":")[0] for told in ran.stderr.splitlines()] == [b"line 3", b"line 5"]


def of_size(size: int) -> bytes:
    """A good claim of exactly this many bytes: spaces are no part of an event."""
    claim = claims()[0]
    return claim + b" " * (size - len(claim))


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""], ids=["unix", "windows", "none"])
def test_a_line_of_one_mebibyte_is_adjudicated_and_one_byte_more_is_too_large(end: bytes) -> None:
    largest, larger = of_size(MAX_VALUE_BYTES), of_size(MAX_VALUE_BYTES + 1)
    ran = adjudicate("-", stdin=larger + b"\n" + largest + end)
    assert ran.returncode == 1
    assert claim_ids(ran.stdout) == CLAIM_IDS[:1]
    assert ran.stderr.startswith(b"line 1: too_large at $: ")
    assert len(ran.stderr.splitlines()) == 1


UNUSABLE: list[tuple[str, list[str], str]] = [
    ("a missing file", ["{tmp}/none.jsonl"], "none.jsonl"),
    ("a directory", ["{tmp}"], "{tmp}"),
    ("a directory to write to", ["{good}", "--out", "{tmp}"], "{tmp}"),
    ("no directory to write in", ["{good}", "--out", "{tmp}/none/out.jsonl"], "none/out.jsonl"),
    ("no directory for dead letters", ["{good}", "--dead-letters", "{tmp}/none/dead.jsonl"], "none/dead"),
    ("no policies", ["{good}", "--policies-dir", "{tmp}/none"], "none"),
    ("policies that do not check", ["{good}", "--policies-dir", "{policies}"], "ncci.toml"),
    ("no code sets", ["{good}", "--codes-dir", "{tmp}/none"], "none"),
    ("code sets that do not check", ["{good}", "--codes-dir", "{codes}"], "icd10cm"),
    ("no payers", ["{good}", "--payers", "{tmp}/none.toml"], "none.toml"),
    ("no file at all", [], "FILE"),
    ("an unknown option", ["{good}", "--unknown"], "--unknown"),
]


@pytest.mark.parametrize(("arguments", "named"), [pytest.param(a, n, id=i) for i, a, n in UNUSABLE])
def test_what_cannot_be_read_written_or_decided_by_ends_it_before_a_result(
    arguments: list[str], named: str, good: Path, tmp_path: Path
) -> None:
    places = {"tmp": tmp_path, "good": good, "policies": _spoiled_policies(tmp_path)}
    places["codes"] = _spoiled_codes(tmp_path)
    ran = adjudicate(*(argument.format(**places) for argument in arguments))
    assert ran.returncode == 2
    assert ran.stdout == b""
    told = ran.stderr.decode()
    assert named.format(**places).lower() in told.lower()
    assert "Traceback" not in told
    assert not list(tmp_path.rglob("*.partial"))


def _spoiled_policies(tmp_path: Path) -> Path:
    directory = tmp_path / "policies"
    directory.mkdir()
    for file in Path(policies.__file__).parent.glob("*.toml"):
        (directory / file.name).write_bytes(file.read_bytes())
    (directory / "ncci.toml").write_text("id = \n")
    contents = {file.name: file.read_bytes() for file in directory.iterdir()}
    (directory / MANIFEST).write_bytes(manifest_of(contents))
    return directory


def _spoiled_codes(tmp_path: Path) -> Path:
    directory = tmp_path / "codes"
    copytree(PACKAGE_DATA, directory)
    (directory / "icd10cm" / "2024-10-01_FY2025.txt").write_text("nonsense\n")
    (directory / MANIFEST).write_bytes(manifest_of(contents_of(directory)))
    return directory


def test_one_file_cannot_take_both_results_and_dead_letters(mixed: Path, tmp_path: Path) -> None:
    both = tmp_path / "both.jsonl"
    ran = adjudicate(mixed, "--out", both, "--dead-letters", both)
    assert ran.returncode == 2
    assert len(ran.stderr.splitlines()) == 1
    assert not both.exists()


def test_a_reader_that_has_had_enough_ends_it_quietly(tmp_path: Path) -> None:
    file = tmp_path / "many.jsonl"
    file.write_bytes(lines(claims(MANY)))
    with start(file) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        process.stdout.close()
        told = process.stderr.read()
    assert claim_ids(first) == [orjson.loads(claims(MANY)[0])["data"]["claim_id"]]
    assert told == b""


@pytest.fixture(scope="module")
def long_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("long") / "long.jsonl"
    least = min(map(len, claims(100)))
    file.write_bytes(lines(claims(LONG_FILE_BYTES // least)))
    assert file.stat().st_size >= LONG_FILE_BYTES
    return file


def _watched(file: Path, out: Path) -> bytes:
    """What a terminal at standard error is sent while the file is adjudicated."""
    screen, terminal = pty.openpty()
    with start(file, "--out", out, stderr=terminal) as process:
        os.close(terminal)
        drawn = b""
        try:
            while part := os.read(screen, 65536):
                drawn += part
        except OSError:  # how Linux says that the last writer of a terminal has gone
            pass
        finally:
            os.close(screen)
        assert process.wait() == 0
    return drawn


def test_a_person_who_watches_a_long_file_sees_a_bar_and_the_results_do_not(
    long_file: Path, tmp_path: Path
) -> None:
    unwatched = adjudicate(long_file)
    drawn = _watched(long_file, tmp_path / "out.jsonl")
    assert b"adjudicating" in drawn
    assert (tmp_path / "out.jsonl").read_bytes() == unwatched.stdout
    assert unwatched.stderr == b""


def test_a_short_file_draws_nothing(good: Path, tmp_path: Path) -> None:
    assert _watched(good, tmp_path / "out.jsonl") == b""


# --- the members of a file ---

Json: TypeAlias = dict[str, Any]


def event(data: Json, id_: str) -> bytes:
    """The event of this data as a line of a file; its type follows from its fields."""
    type_ = (
        SUBMITTED if "lines" in data
        else DOCUMENTED if "documentation" in data
        else EXPIRED if "expired_date" in data
        else VOIDED
    )  # fmt: skip
    return orjson.dumps({"specversion": "1.0", "id": id_, "source": "/tests", "type": type_, "data": data})


def file_of(*data: Json) -> bytes:
    """Events of these data, in order, with ids of their own."""
    return lines([event(one, f"evt-{number}") for number, one in enumerate(data, start=1)])


def said(results: bytes) -> list[tuple[str, int, str]]:
    """Claim, revision and outcome of each result."""
    return [
        (one["claim_id"], one["revision"], one["outcome"]) for one in map(json.loads, results.splitlines())
    ]


class Folded(NamedTuple):
    """What the pure function makes of a file's lines, each with what those of its member before it left."""

    results: bytes
    rejected: list[tuple[int, str]]
    histories: dict[str, bytes]


def folded(values: Iterable[bytes]) -> Folded:
    results: list[bytes] = []
    rejected: list[tuple[int, str]] = []
    held: dict[str, bytes] = {}
    for number, value in enumerate(values, start=1):
        decoded = decode(value)
        assert not isinstance(decoded, Rejected)
        member_id = decoded.data.member_id
        answer = adjudicate_event(decoded, held.get(member_id), historykit.reference())
        if isinstance(answer, Rejected):
            rejected.append((number, answer.reason))
            continue
        results += map(encode, answer.results)
        if answer.history is not None:
            held[member_id] = answer.history
    return Folded(lines(results), rejected, held)


@cache
def mingled() -> list[bytes]:
    """Events of members who have many claims, strays among them."""
    return [orjson.dumps(one) for one in histories(1500, seed=17, members=300, strays=True)]


def test_a_file_comes_to_what_the_pure_function_makes_of_each_members_events(tmp_path: Path) -> None:
    dead, held = tmp_path / "dead.jsonl", tmp_path / "held.jsonl"
    ran = adjudicate("-", "--dead-letters", dead, "--histories", held, stdin=lines(mingled()))
    expected = folded(mingled())
    assert (ran.returncode, ran.stderr) == (1, b"")
    assert ran.stdout == expected.results
    letters = map(json.loads, dead.read_bytes().splitlines())
    assert [(letter["line"], letter["reason"]) for letter in letters] == expected.rejected
    assert read_histories(held) == expected.histories
    revisions = {revision for _, revision, _ in said(ran.stdout)}
    assert max(revisions) > 2  # members' claims have met
    assert {reason for _, reason in expected.rejected} == {"unknown_claim", "id_conflict", "contract"}


def read_histories(file: Path) -> dict[str, bytes]:
    """The histories of a file by member; each line is as it says, and the members are in order."""
    found = {}
    for line in map(json.loads, file.read_bytes().splitlines()):
        assert list(line) == ["member_id", "bytes", "state_base64"]
        found[line["member_id"]] = base64.b64decode(line["state_base64"], validate=True)
        assert line["bytes"] == len(found[line["member_id"]])
    assert list(found) == sorted(found)
    return found


def test_neither_the_process_nor_its_hash_seed_changes_a_byte(tmp_path: Path) -> None:
    runs = []
    for seed in ("1", "2"):
        held = tmp_path / seed
        ran = adjudicate("-", "--histories", held, stdin=lines(mingled()), PYTHONHASHSEED=seed)
        runs.append((ran.stdout, ran.stderr, held.read_bytes()))
    assert runs[0] == runs[1]


def test_members_do_not_see_each_other() -> None:
    by_member: dict[str, list[bytes]] = {}
    for value in mingled():
        by_member.setdefault(orjson.loads(value)["data"]["member_id"], []).append(value)
    one_after_the_other = [value for theirs in by_member.values() for value in theirs]
    together = adjudicate("-", stdin=lines(mingled())).stdout
    apart = adjudicate("-", stdin=lines(one_after_the_other)).stdout
    assert together != apart
    assert sorted(together.splitlines()) == sorted(apart.splitlines())


def test_stateless_judges_each_claim_as_if_there_were_no_other() -> None:
    ran = adjudicate("-", "--stateless", stdin=lines(mingled()))
    results, refused = [], []
    for number, value in enumerate(mingled(), start=1):
        decoded = decode(value)
        assert not isinstance(decoded, Rejected)
        answer = adjudicate_alone(decoded, historykit.reference())
        is_claim = isinstance(decoded.data, Claim) and decoded.data.frequency_code == "1"
        assert isinstance(answer, Rejected) != is_claim
        if isinstance(answer, Rejected):
            refused.append(f"line {number}: unknown_claim at {answer.path}: {answer.message}")
        else:
            results.append(encode(answer))
    assert ran.stdout == lines(results)
    assert ran.stderr.decode().splitlines() == refused


def test_a_members_first_claim_has_the_same_bytes_with_history_and_without() -> None:
    values = claims(MANY)
    members = [orjson.loads(value)["data"]["member_id"] for value in values]
    with_history = adjudicate("-", stdin=lines(values)).stdout.splitlines()
    without = adjudicate("-", "--stateless", stdin=lines(values)).stdout.splitlines()
    seen: set[str] = set()
    for member, one, other in zip(members, with_history, without, strict=True):
        assert (one == other) == (member not in seen)
        seen.add(member)
    assert len(seen) < len(members)


MOHS, PATHOLOGY = claim("M", "17311 @A"), claim("P", "88305", received="2026-05-01")
AGAIN = claim("M2", "17311 @A", "12032", frequency="7", original="M")

STORIES: list[tuple[str, list[Json], list[tuple[str, int, str]]]] = [
    ("an event's own claim, then another that it changes", [PATHOLOGY, MOHS],
     [("P", 1, "pay"), ("M", 1, "pay"), ("P", 2, "deny")]),
    ("an own claim, one that it closes, one that it changes", [PATHOLOGY, MOHS, AGAIN],
     [("P", 1, "pay"), ("M", 1, "pay"), ("P", 2, "deny"),
      ("M2", 1, "pay"), ("M", 2, "void"), ("P", 3, "deny")]),
    ("a void, then what it had displaced", [MOHS, PATHOLOGY, void("M")],
     [("M", 1, "pay"), ("P", 1, "deny"), ("M", 2, "void"), ("P", 2, "pay")]),
    ("others in the order of their place", [
        claim("C", "88305", received="2026-05-03"), claim("B", "88305 x2", received="2026-05-02"),
        claim("A", "88305 x3", received="2026-05-02"), MOHS],
     [("C", 1, "pay"), ("B", 1, "pay"), ("A", 1, "pay"), ("M", 1, "pay"), ("A", 2, "deny"), ("B", 2, "deny"),
      ("C", 2, "deny")]),
    ("records that change nothing say nothing", [MOHS, documentation("M", "2026-06-01", undecided="A")],
     [("M", 1, "pay")]),
    ("an expiry where nothing was awaited says nothing", [MOHS, expiry("M")], [("M", 1, "pay")]),
]  # fmt: skip


@pytest.mark.parametrize(("told", "expected"), [pytest.param(t, e, id=i) for i, t, e in STORIES])
def test_results_come_out_in_the_order_in_which_the_events_bring_them_about(
    told: list[Json], expected: list[tuple[str, int, str]]
) -> None:
    ran = adjudicate("-", stdin=file_of(*told))
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert said(ran.stdout) == expected


def test_a_file_told_twice_says_nothing_the_second_time() -> None:
    values = [orjson.dumps(one) for one in histories(600, seed=17, members=100)]
    for_good = "--history-look-back-days=36500"
    once, twice = (adjudicate("-", for_good, stdin=lines(values) * times) for times in (1, 2))
    assert once.stdout
    assert (twice.returncode, twice.stdout, twice.stderr) == (0, once.stdout, b"")


# --- how much is held ---

APART = 37
"""Days between the services of two claims."""
EARLY, LATE = claim("E", "17311"), claim("L", "17311 on 2026-06-04")
LONG = claim("L", *["11980"] * 26)
SHORT = claim("S", *["11980"] * 25)


class Room(NamedTuple):
    """A limit with a value at which the events fit and one at which they do not, and their outcomes."""

    field: str
    told: list[Json]
    enough: int
    roomy: list[str]
    little: int
    tight: list[str]


ROOMS = [
    Room("history_look_back_days", [EARLY, LATE, void("E")],
         APART, ["pay", "pay", "void"], APART - 1, ["pay", "pay"]),
    Room("history_max_bytes", [LONG], 4096, ["out_of_scope"], 1024, ["pend"]),
    Room("history_max_day_lines", [SHORT, LONG],
         51, ["out_of_scope", "out_of_scope"], 50, ["out_of_scope", "pend", "pend"]),
]  # fmt: skip


@pytest.mark.parametrize("by", ["option", "variable", "option over variable"])
@pytest.mark.parametrize("room", [pytest.param(room, id=room.field) for room in ROOMS])
def test_options_and_variables_say_how_much_is_held(by: str, room: Room) -> None:
    assert outcomes(room, by, room.enough) == room.roomy
    assert outcomes(room, by, room.little) == room.tight


@pytest.mark.parametrize("room", [pytest.param(room, id=room.field) for room in ROOMS])
def test_an_empty_variable_is_as_good_as_none(room: Room) -> None:
    ran = adjudicate("-", stdin=file_of(*room.told), **{variable(room.field): ""})
    assert [outcome for _, _, outcome in said(ran.stdout)] == room.roomy


def outcomes(room: Room, by: str, value: int) -> list[str]:
    option, name = f"--{room.field.replace('_', '-')}={value}", variable(room.field)
    options = [option] if "option" in by else []
    variables = {"option": {}, "variable": {name: str(value)}, "option over variable": {name: "no number"}}[
        by
    ]
    ran = adjudicate("-", *options, stdin=file_of(*room.told), **variables)
    return [outcome for _, _, outcome in said(ran.stdout)]


BOUNDS: list[tuple[str, list[int], list[int]]] = [
    ("history_look_back_days", [1, 36_500], [0, 36_501]),
    ("history_max_bytes", [1024], [1023]),
    ("history_max_day_lines", [50, 100_000], [49, 100_001]),
]
"""Setting, values at its bounds, and values beyond them."""


@pytest.mark.parametrize("command", [["adjudicate", "-"], ["explain", "-", "--claim", "M"]])
@pytest.mark.parametrize(("field", "within", "beyond"), [pytest.param(*row, id=row[0]) for row in BOUNDS])
def test_options_have_the_bounds_and_defaults_of_the_workers_settings(
    field: str, within: list[int], beyond: list[int], command: list[str]
) -> None:
    option = f"--{field.replace('_', '-')}"

    def limits(*arguments: str) -> Any:
        _, bound, _ = app.parse_args([*command, *arguments], exit_on_error=False, print_error=False)
        bound.apply_defaults()
        return bound.arguments["limits"]

    assert getattr(limits(), field) == Settings.model_fields[field].default
    for value in within:
        assert getattr(limits(option, str(value)), field) == value
        assert getattr(Settings.model_validate({field: value}), field) == value
    for value in beyond:
        with pytest.raises(InvalidOption):
            limits(option, str(value))
        with pytest.raises(InvalidSetting):
            Settings.model_validate({field: value})


def test_without_history_there_are_no_histories_to_write(good: Path, tmp_path: Path) -> None:
    held = tmp_path / "held.jsonl"
    ran = adjudicate(good, "--stateless", "--histories", held)
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert b"--histories" in ran.stderr
    assert b"--stateless" in ran.stderr
    assert not held.exists()


def test_help_says_that_histories_are_private() -> None:
    told = adjudicate("--help").stdout.decode()
    assert re.search(r"--histories[^-]+PHI", told)
