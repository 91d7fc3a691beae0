"""What the commands do to files: what was there is never lost, and an error names what the user gave."""

from __future__ import annotations

import base64
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from subprocess import PIPE, CompletedProcess, Popen

import orjson
import pytest

from worker.adjudication.decode import MAX_VALUE_BYTES
from worker.devkit.generator import events

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("MMS_")}
EARLIER = b"of an earlier run\n"
MANY = 2000
"""Events that no pipe holds, and results that no pipe holds: a process that has read half is at work."""


@cache
def claims(count: int = 3) -> bytes:
    return b"".join(orjson.dumps(event) + b"\n" for event in events(count, seed=11))


CLAIM_IDS = [orjson.loads(claim)["data"]["claim_id"] for claim in claims().splitlines()]


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "worker", *map(str, arguments)]


def run(*arguments: str | Path, stdin: bytes = b"") -> CompletedProcess[bytes]:
    return subprocess.run(command(*arguments), input=stdin, capture_output=True, env=ENVIRONMENT, check=False)


def shell(line: str, **environment: str) -> CompletedProcess[bytes]:
    """A line of shell in which ``worker`` is the command; exit code of its first part in a pipeline."""
    script = f'set -o pipefail; worker() {{ "{sys.executable}" -m worker "$@"; }}; {line}'
    return subprocess.run(
        ["/bin/bash", "-c", script], capture_output=True, env=ENVIRONMENT | environment, check=False
    )


def claim_ids(results: bytes) -> list[str]:
    return [json.loads(result)["claim_id"] for result in results.splitlines()]


@pytest.fixture
def good(tmp_path: Path) -> Path:
    file = tmp_path / "in.jsonl"
    file.write_bytes(claims())
    return file


SAME_FILE: list[tuple[str, list[str]]] = [
    ("results over the input", ["in.jsonl", "--out", "in.jsonl"]),
    ("dead letters over the input", ["in.jsonl", "--dead-letters", "in.jsonl"]),
    ("results over the input by a symbolic link", ["in.jsonl", "--out", "symbolic"]),
    ("results over the input by a hard link", ["in.jsonl", "--out", "hard"]),
    ("results over the input that a link names", ["symbolic", "--out", "in.jsonl"]),
    ("one new file for both outputs", ["in.jsonl", "--out", "new", "--dead-letters", "./new"]),
    ("one old file for both outputs", ["in.jsonl", "--out", "old", "--dead-letters", "link-to-old"]),
    ("one missing file for both outputs", ["in.jsonl", "--out", "dangling", "--dead-letters", "new"]),
    ("histories over the input", ["symbolic", "--histories", "in.jsonl"]),
    ("one file for results and histories", ["in.jsonl", "--out", "old", "--histories", "link-to-old"]),
    ("one file for dead letters and histories", ["in.jsonl", "--dead-letters", "new", "--histories", "new"]),
]


@pytest.fixture
def linked(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "symbolic").symlink_to(good)
    (tmp_path / "hard").hardlink_to(good)
    (tmp_path / "old").write_bytes(EARLIER)
    (tmp_path / "link-to-old").symlink_to("old")
    (tmp_path / "dangling").symlink_to("new")
    return tmp_path


def everything_in(directory: Path) -> dict[str, bytes | str]:
    return {
        path.name: str(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in directory.iterdir()
    }


@pytest.mark.parametrize("arguments", [pytest.param(a, id=i) for i, a in SAME_FILE])
def test_one_file_at_two_ends_is_refused_and_nothing_changes(arguments: list[str], linked: Path) -> None:
    before = everything_in(linked)
    ran = run("adjudicate", *arguments)
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert len(ran.stderr.splitlines()) == 1
    assert b"same file" in ran.stderr
    assert everything_in(linked) == before


@pytest.mark.parametrize(
    "line",
    [
        "worker adjudicate - --out in.jsonl <in.jsonl",
        "worker adjudicate in.jsonl >>in.jsonl",
        "worker adjudicate in.jsonl --dead-letters old >>old",
    ],
)
def test_a_redirected_file_at_two_ends_is_refused(line: str, linked: Path) -> None:
    before = everything_in(linked)
    ran = shell(line)
    assert ran.returncode == 2
    assert b"same file" in ran.stderr
    assert everything_in(linked) == before


def test_one_device_may_be_at_all_ends() -> None:
    outputs = [f"--{name}=/dev/null" for name in ("out", "dead-letters", "histories")]
    ran = run("adjudicate", "/dev/null", *outputs)
    assert (ran.returncode, ran.stderr) == (0, b"")


def test_files_of_the_user_that_look_like_unfinished_ones_are_left_alone(tmp_path: Path) -> None:
    source, other = tmp_path / "o.jsonl.partial", tmp_path / "dead.partial"
    source.write_bytes(claims())
    other.write_bytes(EARLIER)
    out = tmp_path / "o.jsonl"
    ran = run("adjudicate", source, "--out", out, "--dead-letters", tmp_path / "dead")
    assert ran.returncode == 0
    assert claim_ids(out.read_bytes()) == CLAIM_IDS
    assert source.read_bytes() == claims()
    assert other.read_bytes() == EARLIER


@pytest.mark.parametrize("old", [EARLIER, None], ids=["there", "missing"])
def test_results_go_to_the_file_that_a_link_leads_to(old: bytes | None, good: Path, tmp_path: Path) -> None:
    target, link = tmp_path / "elsewhere" / "results", tmp_path / "link"
    target.parent.mkdir()
    if old is not None:
        target.write_bytes(old)
    link.symlink_to(target)
    assert run("adjudicate", good, "--out", link).returncode == 0
    assert link.readlink() == target
    assert claim_ids(target.read_bytes()) == CLAIM_IDS
    assert list(target.parent.iterdir()) == [target]


def test_a_file_keeps_its_permissions_and_a_new_one_has_the_usual(good: Path, tmp_path: Path) -> None:
    old, new, touched = (tmp_path / name for name in ("old", "new", "touched"))
    old.touch(mode=0o640)
    touched.touch()
    assert run("adjudicate", good, "--out", old, "--dead-letters", new).returncode == 0
    assert old.stat().st_mode & 0o777 == 0o640
    assert new.stat().st_mode == touched.stat().st_mode


def test_a_file_that_is_standard_output_already_is_appended_to_as_it_is(good: Path, tmp_path: Path) -> None:
    log, stdout = tmp_path / "log", tmp_path / "stdout"
    log.write_bytes(EARLIER)
    stdout.symlink_to("/proc/self/fd/1")  # as /dev/stdout is, which a failing test must not harm
    assert shell(f"worker adjudicate {good} --out {stdout} >>{log}").returncode == 0
    assert log.read_bytes().startswith(EARLIER)
    assert claim_ids(log.read_bytes().removeprefix(EARLIER)) == CLAIM_IDS


@pytest.fixture
def at_work(tmp_path: Path) -> Iterator[Popen[bytes]]:
    """A run that has written results and dead letters, and waits for more lines."""
    (tmp_path / "out").write_bytes(EARLIER)
    outputs = [f"--{name}={tmp_path / name}" for name in ("out", "dead-letters", "histories")]
    arguments = command("adjudicate", "-", *outputs)
    with Popen(arguments, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=ENVIRONMENT) as process:
        assert process.stdin is not None
        process.stdin.write(claims(MANY).replace(b"\n", b"\n[]\n"))
        process.stdin.flush()
        assert len(list(tmp_path.iterdir())) == 4
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_told_to_stop_leaves_what_was_there_and_nothing_else(
    number: signal.Signals, at_work: Popen[bytes], tmp_path: Path
) -> None:
    at_work.send_signal(number)
    assert at_work.wait() == 128 + number
    assert at_work.stderr is not None
    assert at_work.stderr.read() == b""
    assert everything_in(tmp_path) == {"out": EARLIER}


def test_a_run_that_is_told_to_stop_waits_for_no_reader(tmp_path: Path) -> None:
    many = tmp_path / "many.jsonl"
    many.write_bytes(claims(MANY))
    with Popen(command("adjudicate", many), stdout=PIPE, env=ENVIRONMENT) as process:
        assert process.stdout is not None
        assert process.stdout.read(1)  # it is at work, and more follows than the pipe holds
        process.terminate()
        assert process.wait() == 128 + signal.SIGTERM


def test_a_full_disk_leaves_what_was_there(good: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_bytes(EARLIER)
    ran = subprocess.run(
        command("adjudicate", good, "--out", out, "--histories", tmp_path / "held"),
        capture_output=True, env=ENVIRONMENT, check=False, preexec_fn=_no_file_may_grow,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (2, f"mms-worker: {out}: File too large\n".encode())
    assert everything_in(tmp_path) == {"out": EARLIER, "in.jsonl": claims()}


def _no_file_may_grow() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))


NAMED: list[tuple[str, str, str]] = [
    ("full standard output", "worker adjudicate {good} >/dev/full",
     "standard output: No space left on device"),
    ("full device", "worker adjudicate {good} --out /dev/full", "/dev/full: No space left on device"),
    ("full device for dead letters", "echo [] | worker adjudicate - --dead-letters /dev/full",
     "/dev/full: No space left on device"),
    ("full device for histories", "worker adjudicate {good} --out {tmp}/out --histories /dev/full",
     "/dev/full: No space left on device"),
    ("closed standard output", "worker adjudicate {good} >&-",
     "standard output: it is closed; redirect it to a file"),
    ("closed standard input", "worker adjudicate - <&-",
     "standard input: it is closed; name a file, or pipe one in"),
    ("a missing directory", "worker adjudicate {good} --out {tmp}/no/out",
     "{tmp}/no/out: No such file or directory"),
    ("a circle of links", "worker adjudicate {good} --out {tmp}/circle",
     "{tmp}/circle: Too many levels of symbolic links"),
    ("a trace to a full standard output", "worker explain {good} --claim {claim} >/dev/full",
     "standard output: No space left on device"),
    ("a JSON trace to a full standard output", "worker explain {good} --claim {claim} --json >/dev/full",
     "standard output: No space left on device"),
    ("a trace to a closed standard output", "worker explain {good} --claim {claim} >&-",
     "standard output: it is closed; redirect it to a file"),
    ("no input for a trace", "worker explain - --claim {claim} <&-",
     "standard input: it is closed; name a file, or pipe one in"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "told"), [pytest.param(line, told, id=i) for i, line, told in NAMED])
def test_an_error_is_one_line_that_names_what_the_user_gave(
    line: str, told: str, good: Path, tmp_path: Path
) -> None:
    (tmp_path / "circle").symlink_to("circle")
    places = {"good": good, "tmp": tmp_path, "claim": CLAIM_IDS[0]}
    ran = shell(line.format(**places))
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert ran.stderr.decode() == f"mms-worker: {told.format(**places)}\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["circle", "in.jsonl"]


@pytest.mark.parametrize("name", ["adjudicate", "explain --claim CLM-1"])
def test_a_missing_file_is_called_file_and_no_option(name: str) -> None:
    ran = run(*name.split())
    assert ran.returncode == 2
    assert b"FILE" in ran.stderr
    assert b"--file" not in ran.stderr


def test_closed_standard_error_puts_no_messages_among_the_results(good: Path) -> None:
    ran = shell(f"(echo []; cat {good}) | worker adjudicate - 2>&-")
    assert ran.returncode == 1
    assert claim_ids(ran.stdout) == CLAIM_IDS


def _fill(size: int) -> bytes:
    """Bytes that are no JSON and tell their place, so that none may be lost or moved unseen."""
    return b"".join(b"%07d " % number for number in range(size // 8 + 1))[:size]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""], ids=["unix", "windows", "none"])
@pytest.mark.parametrize("size", [MAX_VALUE_BYTES + extra for extra in (1, 2, 3, 4, MAX_VALUE_BYTES + 3)])
def test_a_line_that_is_too_long_becomes_a_dead_letter_with_all_its_bytes(
    size: int, end: bytes, tmp_path: Path
) -> None:
    first, second, third = claims().splitlines(keepends=True)
    content = first + b"[]\n" + second + _fill(size) + end
    content += third + b"{}\n" if end else b""
    ran = run("adjudicate", "-", "--dead-letters", tmp_path / "dead", stdin=content)
    assert (ran.returncode, ran.stderr) == (1, b"")
    assert claim_ids(ran.stdout) == CLAIM_IDS[: 3 if end else 2]
    letters = [json.loads(letter) for letter in (tmp_path / "dead").read_bytes().splitlines()]
    told = [(letter["line"], letter["reason"]) for letter in letters]
    assert told == [(2, "contract"), (4, "too_large"), (6, "contract")][: 3 if end else 2]
    assert list(letters[1]) == ["line", "reason", "path", "message", "value_base64"]
    assert base64.b64decode(letters[1]["value_base64"], validate=True) == _fill(size)


def test_a_line_longer_than_memory_is_told_and_its_neighbours_are_adjudicated(tmp_path: Path) -> None:
    first, second, _ = claims().splitlines(keepends=True)
    source = tmp_path / "in.jsonl"
    with source.open("wb") as file:
        file.write(first)
        file.truncate(len(first) + (1 << 29))  # half a gigabyte of nulls, which takes no room
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + second)
    ran = subprocess.run(
        command("adjudicate", source), capture_output=True, env=ENVIRONMENT, check=False,
        preexec_fn=_little_memory,
    )  # fmt: skip
    assert ran.stderr == b"line 2: too_large at $: the value has more than 1048576 bytes\n"
    assert ran.returncode == 1
    assert claim_ids(ran.stdout) == CLAIM_IDS[:2]


def _little_memory() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (1 << 29, 1 << 29))


def test_an_explanation_whose_reader_leaves_ends_quietly(good: Path) -> None:
    ran = shell(f"worker explain {good} --claim {CLAIM_IDS[0]} | true")
    assert (ran.returncode, ran.stderr) == (0, b"")


def test_marks_that_an_encoding_lacks_are_plain_and_still_differ(good: Path) -> None:
    line = f"worker explain {good} --claim {CLAIM_IDS[1]}"
    marked = shell(line, PYTHONIOENCODING="utf-8").stdout.decode()
    plain = shell(line, PYTHONIOENCODING="ascii")
    assert (plain.returncode, plain.stderr) == (0, b"")
    assert {"✓", "✗"} <= set(marked)
    assert plain.stdout.decode("ascii") == marked.replace("✓", "+").replace("✗", "-")


def test_an_id_beyond_an_encoding_is_escaped_and_in_json_it_is_whole() -> None:
    event = claims().splitlines()[0].replace(CLAIM_IDS[0].encode(), "Clé".encode())
    environment = ENVIRONMENT | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "1"}
    for options, shown in (([], "Cl\\xe9"), (["--json"], "Clé")):
        ran = subprocess.run(
            command("explain", "-", "--claim", "Clé", *options),
            input=event, capture_output=True, env=environment, check=False,
        )  # fmt: skip
        assert (ran.returncode, ran.stderr) == (0, b"")
        assert shown in ran.stdout.decode()


def test_a_claim_not_found_says_how_many_lines_could_not_be_read(good: Path) -> None:
    ran = run("explain", "-", "--claim", "CLM-NONE", stdin=b"[]\n\n" + claims() + b"not JSON\n")
    assert ran.returncode == 1
    assert ran.stderr.decode().endswith("(lines left out that cannot be read: 2)\n")
