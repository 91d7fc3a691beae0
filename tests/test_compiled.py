"""The rules compiled to C decide as the Python files that they were compiled from, to the byte.

``make compiled`` makes a tree of its own, ``build/compiled``, whose rules are C; the image has the same. Both
trees do the same work here, each in a process of its own that says a digest of every answer.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from hashlib import blake2b
from importlib import import_module
from inspect import getmembers, isclass
from pathlib import Path
from typing import NamedTuple

import msgspec
import orjson
import pytest

from tests.contract.corpus import example_files, history_files
from worker.adjudication import (
    Adjudicated,
    Limits,
    Reference,
    Rejected,
    adjudicate,
    adjudicate_alone,
    decode,
    encode,
    standing,
    stored,
)
from worker.adjudication.claim import Event
from worker.adjudication.decode import MAX_DEPTH, MAX_VALUE_BYTES
from worker.devkit.generator import bad_records, events, histories
from worker.reference import load_reference

ROOT = Path(__file__).resolve().parents[1]
TREE = ROOT / "build" / "compiled"
PACKAGE = "worker.adjudication"
IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}

SEED = 23
CLAIMS, BAD, EVENTS, MEMBERS = 2_000, 500, 5_000, 400
NARROW = Limits(look_back_days=400, max_bytes=4_000, max_day_lines=12)
"""So tight that histories are cut, days are crowded and members are full."""
LIMIT_S = 300


class Said(NamedTuple):
    """What a tree says."""

    files: dict[str, str]
    """Of the modules of the rules, by name."""
    answers: list[str]
    """What was asked, and a digest of the answer."""
    raised: dict[str, str]
    """What the calls of ``raising`` come to, by name."""


def main() -> None:
    """Say it as JSON; run in each tree."""
    modules = {name: import_module(name) for name in module_names()}
    files = {name: str(module.__file__) for name, module in modules.items()}
    reference = load_reference()
    outcomes = {name: outcome(call) for name, call in raising(reference).items()}
    sys.stdout.write(json.dumps(Said(files, list(answers(reference)), outcomes)))


def module_names() -> list[str]:
    sources = sorted((ROOT / "worker" / "adjudication").glob("*.py"))
    return [PACKAGE if path.stem == "__init__" else f"{PACKAGE}.{path.stem}" for path in sources]


def answers(reference: Reference) -> Iterator[str]:
    for event in events(CLAIMS, SEED):
        yield line(f"claim {event['id']}", alone(orjson.dumps(event), reference))
    for record in bad_records(BAD, SEED):
        yield line(f"bad record of {record.key!r}", repr(decode(record.value)).encode())
    for limits in (Limits(), NARROW):
        mingled = map(orjson.dumps, histories(EVENTS, SEED, MEMBERS, strays=True))
        yield from folded(f"{limits}", mingled, limits, reference)
    for path in example_files():
        yield from folded(f"example {path.name}", [path.read_bytes()], Limits(), reference)
    for path in history_files():
        yield from folded(f"example {path.name}", path.read_bytes().splitlines(), Limits(), reference)


def line(what: str, content: bytes) -> str:
    return f"{what}: {blake2b(content, digest_size=8).hexdigest()}"


def alone(value: bytes, reference: Reference) -> bytes:
    event = decode(value)
    assert isinstance(event, Event)
    result = adjudicate_alone(event, reference)
    return repr(result).encode() if isinstance(result, Rejected) else encode(result)


def folded(
    what: str, values: Iterator[bytes] | list[bytes], limits: Limits, reference: Reference
) -> Iterator[str]:
    """All that comes of each event: results, the history with them, counts, and what stands of its claim."""
    held: dict[str, bytes] = {}
    for number, value in enumerate(values):
        event = decode(value)
        answer = (
            adjudicate(event, held.get(event.data.member_id), reference, limits)
            if isinstance(event, Event)
            else event
        )
        if isinstance(answer, Adjudicated):
            assert isinstance(event, Event)
            member, claim_id = event.data.member_id, event.data.claim_id
            held[member] = answer.history or held[member]
            stands = standing(event, held[member], claim_id, reference)
            results = [encode(result) for result in (*answer.results, *([stands] if stands else []))]
            counts = repr((answer.change, answer.again, answer.evicted)).encode()
            content = b"\n".join((counts, *results, held[member]))
        else:
            content = repr(answer).encode()
        yield line(f"{what}, event {number}", content)


def raising(reference: Reference) -> dict[str, Callable[[], object]]:
    """Calls that raise, or that would if the rules trusted what they are given."""
    value = orjson.dumps(next(events(1, SEED)))
    event = decode(value)
    assert isinstance(event, Event)
    answer = adjudicate(event, None, reference)
    assert isinstance(answer, Adjudicated)
    held = answer.history
    assert held is not None
    foreign = bytes((stored.VERSION + 1,)) + held[1:]
    deep = [b"[" * depth + b"1.0" + b"]" * depth for depth in (MAX_DEPTH - 2, MAX_DEPTH + 1, 100_000)]
    return {
        "a history of another version": lambda: adjudicate(event, foreign, reference),
        "a history without a version": lambda: adjudicate(event, b"", reference),
        "a history cut short": lambda: adjudicate(event, held[:-1], reference),
        "a history of other bytes": lambda: stored.read(held[:1] + b"\xc1"),
        "standing in a history of another version": lambda: standing(event, foreign, "", reference),
        "no value": lambda: decode(None),
        "a value too large": lambda: decode(b" " * (MAX_VALUE_BYTES + 1)),
        "a value that is not UTF-8": lambda: decode(b"\xff"),
        "an integer of many digits": lambda: decode(b'{"specversion":' + b"9" * 5_000 + b"}"),
        "an integer with a point": lambda: decode(value.replace(b'"line":1,', b'"line":1.0,')),
        "a header without a value": lambda: decode(b"{}", [("ce_id", None), ("content-type", None)]),
        "headers as aiokafka has them": lambda: decode(b"{}", (("content-type", b"application/json"),)),
        **{f"nested in {len(value)} bytes": lambda value=value: decode(value) for value in deep},
        **{
            f"nested data in {len(value)} bytes": lambda value=value: decode(_with_data(value))
            for value in deep
        },
    }


def _with_data(data: bytes) -> bytes:
    attributes = b'"specversion":"1.0","id":"1","source":"/s","type":"mms.claim.voided.v1"'
    return b"{" + attributes + b',"data":{"x":' + data + b"}}"


def outcome(call: Callable[[], object]) -> str:
    """What a call raises, by its type; else what it gives."""
    try:
        given = call()
    except Exception as error:  # noqa: BLE001  whatever it is, both must raise it
        return type(error).__qualname__
    return repr(given)


@pytest.fixture(scope="module")
def trees() -> tuple[Said, Said]:
    """What the sources say, and what their compiled tree says, which must be made of the same files."""
    if not TREE.exists():
        missing = "there is no build/compiled: make compiled"
        pytest.fail(f"CI must test the compiled rules: {missing}", pytrace=False) if IN_CI else pytest.skip(
            missing
        )
    if stale := differing():
        pytest.fail(f"build/compiled is of other files ({', '.join(stale)}): make compiled", pytrace=False)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", "from tests.test_compiled import main; main()"],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": ""},
            stdout=subprocess.PIPE,
            text=True,
        )
        for tree in (ROOT, TREE)
    ]
    try:
        said = [process.communicate(timeout=LIMIT_S)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0]
    plain, compiled = (Said(*json.loads(text)) for text in said)
    return plain, compiled


def differing() -> list[str]:
    """Files that the compiled tree was not made of, or that it was made of and are no more."""
    kept = [ROOT / "pyproject.toml", *ROOT.glob("worker/**/*.py")]
    copied = [TREE / "pyproject.toml", *TREE.glob("worker/**/*.py")]
    here = {str(path.relative_to(ROOT)): path.read_bytes() for path in kept}
    there = {str(path.relative_to(TREE)): path.read_bytes() for path in copied}
    return sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))


def test_every_answer_is_the_same_to_the_byte(trees: tuple[Said, Said]) -> None:
    plain, compiled = trees
    assert len(plain.answers) > CLAIMS + BAD + 2 * EVENTS
    others = [pair for pair in zip(plain.answers, compiled.answers, strict=True) if len(set(pair)) > 1]
    assert others[:5] == []


def test_what_raises_raises_the_same_in_c(trees: tuple[Said, Said]) -> None:
    """None of it is a TypeError, by which compiled code says that an annotation is not true."""
    plain, compiled = trees
    assert compiled.raised == plain.raised
    foreign = {name for name, what in compiled.raised.items() if what == stored.UnknownVersion.__qualname__}
    assert foreign == {
        "a history of another version",
        "a history without a version",
        "standing in a history of another version",
    }
    assert "TypeError" not in compiled.raised.values()


def test_the_rules_are_c_in_the_compiled_tree_and_nowhere_else(trees: tuple[Said, Said]) -> None:
    plain, compiled = trees
    assert {Path(file).suffix for file in plain.files.values()} == {".py"}
    left = {name for name, file in compiled.files.items() if not file.endswith(".so")}
    assert left == left_out()
    assert all(Path(file).is_relative_to(TREE) for file in compiled.files.values())


def test_what_the_hook_leaves_out_is_the_package_and_the_modules_with_structs() -> None:
    """The metaclass of structs is one that mypyc does not know; whatever has none is to be compiled."""
    with_structs = {name for name in module_names() if _defines_a_struct(name)}
    assert left_out() == {PACKAGE} | with_structs


def left_out() -> set[str]:
    """The modules that the build hook is told to leave as they are."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    hook = project["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["mypyc"]
    assert hook["include"] == ["worker/adjudication/*.py"]
    return {path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in hook["exclude"]}


def _defines_a_struct(name: str) -> bool:
    classes = getmembers(import_module(name), isclass)
    return any(issubclass(one, msgspec.Struct) and one.__module__ == name for _, one in classes)
