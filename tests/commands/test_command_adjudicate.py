"""``mms-worker adjudicate`` as a person runs it: a process, files, pipes and a terminal."""

from __future__ import annotations

import base64
import json
import os
import pty
import re
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from subprocess import PIPE, CompletedProcess, Popen
from typing import Any

import orjson
import pytest

from worker.adjudication.decode import MAX_VALUE_BYTES
from worker.commands.adjudicate import LONG_FILE_BYTES
from worker.devkit.generator import events
from worker.policies import catalog as policies

MARKER = "ZQ-PRIVATE-ZQ"
"""A value that no message may quote."""

MANY = 512
"""Events that no pipe holds, and results that no pipe holds."""

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("MMS_")}
ENVIRONMENT |= {"TERM": "xterm-256color"}


def start(
    *arguments: str | Path, stdin: int | None = PIPE, stdout: int | None = PIPE, stderr: int | None = PIPE
) -> Popen[bytes]:
    command = [sys.executable, "-m", "worker", "adjudicate", *map(str, arguments)]
    return Popen(command, stdin=stdin, stdout=stdout, stderr=stderr, env=ENVIRONMENT)  # noqa: S603  our own command


def adjudicate(*arguments: str | Path, stdin: bytes = b"") -> CompletedProcess[bytes]:
    with start(*arguments) as process:
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


def test_out_has_its_name_only_once_it_is_whole(good: Path, tmp_path: Path) -> None:
    out = tmp_path / "results.jsonl"
    out.write_bytes(b"of an earlier run\n")
    with start("-", "--out", out) as process:
        assert process.stdin is not None
        for _ in range(MANY):
            process.stdin.write(good.read_bytes())
        process.stdin.flush()
        assert out.read_bytes() == b"of an earlier run\n"
        process.stdin.close()
        assert process.wait() == 0
    assert len(out.read_bytes().splitlines()) == MANY * len(claims())


def test_a_run_that_is_killed_leaves_what_was_there(good: Path, tmp_path: Path) -> None:
    out = tmp_path / "results.jsonl"
    out.write_bytes(b"of an earlier run\n")
    with start("-", "--out", out) as process:
        assert process.stdin is not None
        process.stdin.write(good.read_bytes() * MANY)  # more than a pipe holds: it is at work
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
    return directory


def _spoiled_codes(tmp_path: Path) -> Path:
    directory = tmp_path / "codes"
    (directory / "icd10cm").mkdir(parents=True)
    (directory / "icd10cm" / "2024-10-01_FY2025.txt").write_text("nonsense\n")
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
    batch = lines(claims(100))
    file.write_bytes(batch * (LONG_FILE_BYTES // len(batch) + 1))
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
